-- An access token has another text after a rotation. The one of before opens it until
-- previous_expires. Times that never were are 0.
ALTER TABLE access_tokens ADD COLUMN renewed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE access_tokens ADD COLUMN previous_hash BLOB;
ALTER TABLE access_tokens ADD COLUMN previous_expires INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX access_tokens_previous ON access_tokens (previous_hash) WHERE previous_hash IS NOT NULL;
CREATE INDEX access_tokens_by_previous_end ON access_tokens (previous_expires) WHERE previous_hash IS NOT NULL;

-- A conversation of an access token ends with the token, which a rotation makes last longer.
CREATE INDEX access_tokens_by_end ON access_tokens (expires);
DROP INDEX conversations_by_end;
CREATE INDEX conversations_by_end ON conversations (expires) WHERE token_id IS NULL;
