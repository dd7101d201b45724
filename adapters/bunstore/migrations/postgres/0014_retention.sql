-- Whose turn it is to do background work on the audit, and until when.
CREATE TABLE audit_turns (
    name   text   COLLATE "C" PRIMARY KEY,
    holder text   COLLATE "C" NOT NULL,
    ends   bigint NOT NULL
);

-- What the verifications of the audit have found, sealed.
CREATE TABLE audit_check (
    id     integer PRIMARY KEY CHECK (id = 1),
    key_id text    COLLATE "C" NOT NULL,
    sealed bytea   NOT NULL
);

-- Where the audit was cut, as domain.AuditCut writes it. '' if it was not.
ALTER TABLE audit_head ADD COLUMN cut text COLLATE "C" NOT NULL DEFAULT '';
