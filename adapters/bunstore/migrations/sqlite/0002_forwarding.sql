-- What is known of a project's key and of its credits, from the last use of each.
ALTER TABLE projects ADD COLUMN key_status TEXT NOT NULL DEFAULT 'ok';
ALTER TABLE projects ADD COLUMN credits TEXT NOT NULL DEFAULT 'ok';

-- The scopes of a grant, with blanks between. Before there were any a grant was for
-- conversations.
ALTER TABLE grants ADD COLUMN scopes TEXT NOT NULL DEFAULT 'converse';

-- The key of the pseudonyms, sealed; both are NULL until there is one.
ALTER TABLE installation ADD COLUMN pseudonyms_key_id TEXT;
ALTER TABLE installation ADD COLUMN pseudonyms BLOB;

CREATE TABLE access_tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    prefix     TEXT    NOT NULL,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT    REFERENCES projects (id) ON DELETE CASCADE,
    scopes     TEXT    NOT NULL,
    own_users  INTEGER NOT NULL CHECK (own_users IN (0, 1)),
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL -- 0 when it never was
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, id);
CREATE INDEX access_tokens_by_project ON access_tokens (project_id, id) WHERE project_id IS NOT NULL;

-- user_id is Voiceflow's. A conversation refers to the session that made it without a
-- foreign key, since a session that takes the place of another takes its row: whether
-- it is still there is seen when the conversation is used.
CREATE TABLE conversations (
    id         TEXT    NOT NULL PRIMARY KEY,
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id    TEXT    NOT NULL,
    session_id TEXT,
    token_id   TEXT    REFERENCES access_tokens (id) ON DELETE CASCADE,
    key_id     TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    CONSTRAINT conversations_user UNIQUE (project_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_by_token ON conversations (token_id) WHERE token_id IS NOT NULL;
CREATE INDEX conversations_by_end ON conversations (expires);

-- What was counted stays when a project, a user or a token goes.
CREATE TABLE usage (
    day          TEXT    NOT NULL,
    project_id   TEXT    NOT NULL,
    user_id      TEXT    NOT NULL,
    token_id     TEXT    NOT NULL, -- '' for a use by cookie
    scope        TEXT    NOT NULL,
    calls        INTEGER NOT NULL,
    errors       INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    PRIMARY KEY (day, project_id, user_id, token_id, scope)
) STRICT, WITHOUT ROWID;
