-- What is known of a project's key and of its credits, from the last use of each.
ALTER TABLE projects
    ADD COLUMN key_status text COLLATE "C" NOT NULL DEFAULT 'ok',
    ADD COLUMN credits    text COLLATE "C" NOT NULL DEFAULT 'ok';

-- The scopes of a grant, with blanks between. Before there were any a grant was for
-- conversations.
ALTER TABLE grants ADD COLUMN scopes text COLLATE "C" NOT NULL DEFAULT 'converse';

-- The key of the pseudonyms, sealed; both are NULL until there is one.
ALTER TABLE installation
    ADD COLUMN pseudonyms_key_id text COLLATE "C",
    ADD COLUMN pseudonyms        bytea;

CREATE TABLE access_tokens (
    id         text    COLLATE "C" PRIMARY KEY,
    hash       bytea   NOT NULL UNIQUE,
    name       text    COLLATE "C" NOT NULL,
    prefix     text    COLLATE "C" NOT NULL,
    user_id    text    COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id text    COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    scopes     text    COLLATE "C" NOT NULL,
    own_users  boolean NOT NULL,
    created    bigint  NOT NULL,
    expires    bigint  NOT NULL,
    last_used  bigint  NOT NULL -- 0 when it never was
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, id);
CREATE INDEX access_tokens_by_project ON access_tokens (project_id, id) WHERE project_id IS NOT NULL;

-- user_id is Voiceflow's. A conversation refers to the session that made it without a
-- foreign key, since a session that takes the place of another takes its row: whether
-- it is still there is seen when the conversation is used.
CREATE TABLE conversations (
    id         text   COLLATE "C" PRIMARY KEY,
    project_id text   COLLATE "C" NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id    text   COLLATE "C" NOT NULL,
    session_id text   COLLATE "C",
    token_id   text   COLLATE "C" REFERENCES access_tokens (id) ON DELETE CASCADE,
    key_id     text   COLLATE "C" NOT NULL,
    sealed     bytea  NOT NULL,
    created    bigint NOT NULL,
    expires    bigint NOT NULL,
    CONSTRAINT conversations_user UNIQUE (project_id, user_id)
);
CREATE INDEX conversations_by_token ON conversations (token_id) WHERE token_id IS NOT NULL;
CREATE INDEX conversations_by_end ON conversations (expires);

-- What was counted stays when a project, a user or a token goes.
CREATE TABLE usage (
    day          text   COLLATE "C" NOT NULL,
    project_id   text   COLLATE "C" NOT NULL,
    user_id      text   COLLATE "C" NOT NULL,
    token_id     text   COLLATE "C" NOT NULL, -- '' for a use by cookie
    scope        text   COLLATE "C" NOT NULL,
    calls        bigint NOT NULL,
    errors       bigint NOT NULL,
    milliseconds bigint NOT NULL,
    PRIMARY KEY (day, project_id, user_id, token_id, scope)
);
