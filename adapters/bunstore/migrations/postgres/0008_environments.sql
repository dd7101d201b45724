-- Calls can use other environments of an assistant than the version that it was added with, as far
-- as an admin allows it. '' is an assistant that is pinned to its version, as all are until now.
ALTER TABLE projects ADD COLUMN environments text COLLATE "C" NOT NULL DEFAULT '';
-- The only environments that an access token can use, separated by spaces. '' is no limit.
ALTER TABLE access_tokens ADD COLUMN environments text COLLATE "C" NOT NULL DEFAULT '';
-- The environment that a conversation was started in. '' if Voiceflow's traffic split chose one.
ALTER TABLE conversations ADD COLUMN environment text COLLATE "C" NOT NULL DEFAULT '';
