-- Who a user is at the company's identity provider; '' if they are not linked. signed_on is when they
-- last logged in by it, 0 if never. admin_by is the group that made them an admin, '' if none did.
ALTER TABLE users ADD COLUMN identity_issuer text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN identity_subject text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN signed_on bigint NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN admin_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN admin_kept boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX users_by_identity ON users (identity_issuer, identity_subject) WHERE identity_subject <> '';
CREATE INDEX users_by_admin_group ON users (admin_by, id) WHERE admin_by <> '';
CREATE INDEX users_admins_kept ON users (id) WHERE admin_kept;

-- Who grants, as domain.Grant.SourcesText writes it. '' is an admin alone, as of all grants until now.
ALTER TABLE grants ADD COLUMN sources text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX grants_by_groups ON grants (project_id, user_id) WHERE sources <> '';

-- recheck is when to ask the identity provider again about the user of a login; 0 is never.
ALTER TABLE sessions ADD COLUMN by_provider boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN recheck bigint NOT NULL DEFAULT 0;

-- What is kept of a login that the identity provider opened. Without tokens, key_id and sealed are NULL.
CREATE TABLE provider_sessions (
    login_id text  COLLATE "C" PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    issuer   text  COLLATE "C" NOT NULL,
    subject  text  COLLATE "C" NOT NULL,
    sid      text  COLLATE "C" NOT NULL,
    key_id   text  COLLATE "C",
    sealed   bytea,
    CHECK ((key_id IS NULL) = (sealed IS NULL))
);
CREATE INDEX provider_sessions_by_subject ON provider_sessions (issuer, subject);
CREATE INDEX provider_sessions_by_sid ON provider_sessions (issuer, sid) WHERE sid <> '';

-- The groups that the identity provider named last.
CREATE TABLE user_groups (
    user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name    text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX user_groups_by_name ON user_groups (name, user_id);

-- What a group gives: a project, or the role of an admin if there is none.
CREATE TABLE group_rules (
    id           text   COLLATE "C" PRIMARY KEY,
    name         text   COLLATE "C" NOT NULL,
    project_id   text   COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    scopes       text   COLLATE "C" NOT NULL,
    environments text   COLLATE "C" NOT NULL,
    created      bigint NOT NULL
);
CREATE UNIQUE INDEX group_rules_pair ON group_rules (name, COALESCE(project_id, ''));
CREATE INDEX group_rules_by_project ON group_rules (project_id) WHERE project_id IS NOT NULL;

-- What was used and can be used once. It is remembered until it ends.
CREATE TABLE used_once (
    kind text   COLLATE "C" NOT NULL,
    id   text   COLLATE "C" NOT NULL,
    ends bigint NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX used_once_by_end ON used_once (ends);
