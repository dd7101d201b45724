-- Text sorts and compares by bytes, whatever the database's own collation. Times are
-- Unix microseconds.

CREATE TABLE projects (
    id                text   COLLATE "C" PRIMARY KEY,
    name              text   COLLATE "C" NOT NULL,
    voiceflow_id      text   COLLATE "C" NOT NULL,
    version           text   COLLATE "C" NOT NULL,
    platform          text   COLLATE "C" NOT NULL,
    created           bigint NOT NULL,
    voiceflow_created bigint NOT NULL,
    CONSTRAINT projects_pair UNIQUE (voiceflow_id, version),
    -- The order of a page; and what grants refer to.
    CONSTRAINT projects_by_name UNIQUE (name, id)
);
CREATE INDEX projects_by_voiceflow ON projects (voiceflow_id, id);

CREATE TABLE project_keys (
    project_id text  COLLATE "C" NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    slot       text  COLLATE "C" NOT NULL,
    key_id     text  COLLATE "C" NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (project_id, slot)
);

-- A host program may have users of its own, so a grant refers to no user. The name is
-- the project's: with it, a page of what is granted to somebody is a range of one
-- index, however much is granted. The foreign key keeps it equal.
CREATE TABLE grants (
    user_id    text   COLLATE "C" NOT NULL,
    project_id text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    created    bigint NOT NULL,
    PRIMARY KEY (user_id, project_id),
    CONSTRAINT grants_project FOREIGN KEY (project_id, name) REFERENCES projects (id, name)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX grants_by_name ON grants (user_id, name, project_id);
CREATE INDEX grants_by_project ON grants (project_id, user_id);

CREATE TABLE users (
    id            text    COLLATE "C" PRIMARY KEY,
    name          text    COLLATE "C" NOT NULL UNIQUE,
    role          text    COLLATE "C" NOT NULL CHECK (role IN ('admin', 'member')),
    disabled      boolean NOT NULL,
    password_hash text    COLLATE "C" NOT NULL,
    created       bigint  NOT NULL
);
CREATE INDEX users_admins ON users (id) WHERE role = 'admin' AND NOT disabled;

CREATE TABLE sessions (
    id         text    COLLATE "C" PRIMARY KEY,
    kind       text    COLLATE "C" NOT NULL CHECK (kind IN ('login', 'assistant')),
    user_id    text    COLLATE "C" NOT NULL,
    login_id   text    COLLATE "C" REFERENCES sessions (id) ON DELETE CASCADE,
    project_id text    COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    by_role    boolean NOT NULL,
    remember   boolean NOT NULL,
    created    bigint  NOT NULL,
    last_used  bigint  NOT NULL,
    idle       bigint  NOT NULL,
    expires    bigint  NOT NULL,
    ends       bigint  NOT NULL GENERATED ALWAYS AS (LEAST(idle, expires)) STORED,
    address    text    COLLATE "C" NOT NULL,
    agent      text    COLLATE "C" NOT NULL,
    CHECK ((kind = 'assistant') = (project_id IS NOT NULL))
);
-- A login has one assistant session at most.
CREATE UNIQUE INDEX sessions_by_login ON sessions (login_id) WHERE login_id IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (user_id, kind);
CREATE INDEX sessions_by_project ON sessions (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (kind, ends);

CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         bigint NOT NULL,
    actor      text   COLLATE "C" NOT NULL,
    action     text   COLLATE "C" NOT NULL,
    object     text   COLLATE "C" NOT NULL,
    outcome    text   COLLATE "C" NOT NULL,
    request_id text   COLLATE "C" NOT NULL,
    address    text   COLLATE "C" NOT NULL
);

CREATE TABLE installation (
    id     integer PRIMARY KEY CHECK (id = 1),
    key_id text    COLLATE "C" NOT NULL,
    known  bytea   NOT NULL,
    origin text    COLLATE "C" NOT NULL
);
