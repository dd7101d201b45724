-- What is known of the two slots that a project has for keys. Times are 0 where nothing
-- ever happened. A project that was added had its key tried.
ALTER TABLE projects ADD COLUMN secondary_status TEXT NOT NULL DEFAULT 'none';
ALTER TABLE projects ADD COLUMN key_checked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN key_set INTEGER NOT NULL DEFAULT 0;
UPDATE projects SET key_checked = created, key_set = created;
CREATE INDEX projects_to_reenter ON projects (id)
    WHERE key_status = 'needs_reentry' OR secondary_status = 'needs_reentry';

-- The key of the keyset that sealed the cookie, or the handle, as far as that is known.
ALTER TABLE sessions ADD COLUMN sealed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN handle_sealed_by TEXT NOT NULL DEFAULT '';

-- A page of a user's sessions is in the order of their ids.
DROP INDEX sessions_by_user;
CREATE INDEX sessions_by_user ON sessions (user_id, id);

-- How many times it happened: refusals of a minute share a row.
ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
-- The order in which it is read.
CREATE INDEX audit_by_time ON audit (at, id);

-- The chain of the audit: rows get their place and the hash over all before them just
-- after they are written, so that writers need not wait for each other.
CREATE TABLE audit_chain (
    seq      INTEGER PRIMARY KEY,
    audit_id INTEGER NOT NULL UNIQUE,
    hash     BLOB    NOT NULL
) STRICT;

-- The signed end of the chain. Rows up to settled are all in the chain, and none come
-- any more.
CREATE TABLE audit_head (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    key_id  TEXT    NOT NULL,
    sealed  BLOB    NOT NULL,
    settled INTEGER NOT NULL
) STRICT;
