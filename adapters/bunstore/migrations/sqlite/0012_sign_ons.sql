-- Who a user is at the company's identity provider; '' if they are not linked. signed_on is when they
-- last logged in by it, 0 if never. admin_by is the group that made them an admin, '' if none did.
ALTER TABLE users ADD COLUMN identity_issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN identity_subject TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN signed_on INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN admin_by TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN admin_kept INTEGER NOT NULL DEFAULT 0 CHECK (admin_kept IN (0, 1));
CREATE UNIQUE INDEX users_by_identity ON users (identity_issuer, identity_subject) WHERE identity_subject <> '';
CREATE INDEX users_by_admin_group ON users (admin_by, id) WHERE admin_by <> '';
CREATE INDEX users_admins_kept ON users (id) WHERE admin_kept;

-- Who grants, as domain.Grant.SourcesText writes it. '' is an admin alone, as of all grants until now.
ALTER TABLE grants ADD COLUMN sources TEXT NOT NULL DEFAULT '';
CREATE INDEX grants_by_groups ON grants (project_id, user_id) WHERE sources <> '';

-- recheck is when to ask the identity provider again about the user of a login; 0 is never.
ALTER TABLE sessions ADD COLUMN by_provider INTEGER NOT NULL DEFAULT 0 CHECK (by_provider IN (0, 1));
ALTER TABLE sessions ADD COLUMN recheck INTEGER NOT NULL DEFAULT 0;

-- What is kept of a login that the identity provider opened. Without tokens, key_id and sealed are NULL.
CREATE TABLE provider_sessions (
    login_id TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    issuer   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    sid      TEXT NOT NULL,
    key_id   TEXT,
    sealed   BLOB,
    CHECK ((key_id IS NULL) = (sealed IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_sessions_by_subject ON provider_sessions (issuer, subject);
CREATE INDEX provider_sessions_by_sid ON provider_sessions (issuer, sid) WHERE sid <> '';

-- The groups that the identity provider named last.
CREATE TABLE user_groups (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_groups_by_name ON user_groups (name, user_id);

-- What a group gives: a project, or the role of an admin if there is none.
CREATE TABLE group_rules (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    project_id   TEXT    REFERENCES projects (id) ON DELETE CASCADE,
    scopes       TEXT    NOT NULL,
    environments TEXT    NOT NULL,
    created      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX group_rules_pair ON group_rules (name, COALESCE(project_id, ''));
CREATE INDEX group_rules_by_project ON group_rules (project_id) WHERE project_id IS NOT NULL;

-- What was used and can be used once. It is remembered until it ends.
CREATE TABLE used_once (
    kind TEXT    NOT NULL,
    id   TEXT    NOT NULL,
    ends INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_by_end ON used_once (ends);
