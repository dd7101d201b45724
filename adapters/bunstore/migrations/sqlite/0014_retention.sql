-- Whose turn it is to do background work on the audit, and until when.
CREATE TABLE audit_turns (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder TEXT    NOT NULL,
    ends   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the verifications of the audit have found, sealed.
CREATE TABLE audit_check (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    key_id TEXT    NOT NULL,
    sealed BLOB    NOT NULL
) STRICT;

-- Where the audit was cut, as domain.AuditCut writes it. '' if it was not.
ALTER TABLE audit_head ADD COLUMN cut TEXT NOT NULL DEFAULT '';
