-- An access token can have limits of its own: calls a minute, and open calls. 0 is none, and the
-- token shares the limits of its user.
ALTER TABLE access_tokens ADD COLUMN rate bigint NOT NULL DEFAULT 0;
ALTER TABLE access_tokens ADD COLUMN open bigint NOT NULL DEFAULT 0;
-- Until now every token had a rate of its own, by default 120. A token for a back end with users
-- of its own goes on as before.
UPDATE access_tokens SET rate = 120 WHERE own_users;
