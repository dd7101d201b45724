-- URLs that are told of events. events are the types, separated by spaces. set_at is when the signing
-- secret was made. gone is when the receiver said that it is gone for good; 0 if it did not.
CREATE TABLE webhooks (
    id      TEXT    NOT NULL PRIMARY KEY,
    url     TEXT    NOT NULL UNIQUE,
    events  TEXT    NOT NULL,
    key_id  TEXT    NOT NULL,
    sealed  BLOB    NOT NULL,
    created INTEGER NOT NULL,
    set_at  INTEGER NOT NULL,
    gone    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The events that a webhook is to be told of, and the latest ones of which it was told. next_try is when
-- the next try is due, or when one that is under way counts as lost; 0 if there is none.
CREATE TABLE webhook_deliveries (
    webhook_id TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    tries      INTEGER NOT NULL,
    next_try   INTEGER NOT NULL,
    last_try   INTEGER NOT NULL,
    result     TEXT    NOT NULL,
    PRIMARY KEY (webhook_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_try, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_latest ON webhook_deliveries (webhook_id, at, event_id);
