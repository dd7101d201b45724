-- Text sorts and compares by bytes, which is SQLite's default. Times are Unix
-- microseconds.

CREATE TABLE projects (
    id                TEXT    NOT NULL PRIMARY KEY,
    name              TEXT    NOT NULL,
    voiceflow_id      TEXT    NOT NULL,
    version           TEXT    NOT NULL,
    platform          TEXT    NOT NULL,
    created           INTEGER NOT NULL,
    voiceflow_created INTEGER NOT NULL,
    CONSTRAINT projects_pair UNIQUE (voiceflow_id, version),
    -- The order of a page; and what grants refer to.
    CONSTRAINT projects_by_name UNIQUE (name, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX projects_by_voiceflow ON projects (voiceflow_id, id);

CREATE TABLE project_keys (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    slot       TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    PRIMARY KEY (project_id, slot)
) STRICT, WITHOUT ROWID;

-- A host program may have users of its own, so a grant refers to no user. The name is
-- the project's: with it, a page of what is granted to somebody is a range of one
-- index, however much is granted. The foreign key keeps it equal.
CREATE TABLE grants (
    user_id    TEXT    NOT NULL,
    project_id TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    PRIMARY KEY (user_id, project_id),
    CONSTRAINT grants_project FOREIGN KEY (project_id, name) REFERENCES projects (id, name)
        ON UPDATE CASCADE ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_name ON grants (user_id, name, project_id);
CREATE INDEX grants_by_project ON grants (project_id, user_id);

CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    password_hash TEXT    NOT NULL,
    created       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX users_admins ON users (id) WHERE role = 'admin' AND NOT disabled;

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('login', 'assistant')),
    user_id    TEXT    NOT NULL,
    login_id   TEXT    REFERENCES sessions (id) ON DELETE CASCADE,
    project_id TEXT    REFERENCES projects (id) ON DELETE CASCADE,
    by_role    INTEGER NOT NULL CHECK (by_role IN (0, 1)),
    remember   INTEGER NOT NULL CHECK (remember IN (0, 1)),
    created    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    idle       INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    ends       INTEGER NOT NULL GENERATED ALWAYS AS (min(idle, expires)) STORED,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    CHECK ((kind = 'assistant') = (project_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- A login has one assistant session at most.
CREATE UNIQUE INDEX sessions_by_login ON sessions (login_id) WHERE login_id IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (user_id, kind);
CREATE INDEX sessions_by_project ON sessions (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (kind, ends);

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    address    TEXT    NOT NULL
) STRICT;

CREATE TABLE installation (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    key_id TEXT    NOT NULL,
    known  BLOB    NOT NULL,
    origin TEXT    NOT NULL
) STRICT;
