-- URLs that are told of events. events are the types, separated by spaces. set_at is when the signing
-- secret was made. gone is when the receiver said that it is gone for good; 0 if it did not.
CREATE TABLE webhooks (
    id      text   COLLATE "C" PRIMARY KEY,
    url     text   COLLATE "C" NOT NULL UNIQUE,
    events  text   COLLATE "C" NOT NULL,
    key_id  text   COLLATE "C" NOT NULL,
    sealed  bytea  NOT NULL,
    created bigint NOT NULL,
    set_at  bigint NOT NULL,
    gone    bigint NOT NULL
);

-- The events that a webhook is to be told of, and the latest ones of which it was told. next_try is when
-- the next try is due, or when one that is under way counts as lost; 0 if there is none.
CREATE TABLE webhook_deliveries (
    webhook_id text   COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   text   COLLATE "C" NOT NULL,
    type       text   COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    actor      text   COLLATE "C" NOT NULL,
    action     text   COLLATE "C" NOT NULL,
    object     text   COLLATE "C" NOT NULL,
    outcome    text   COLLATE "C" NOT NULL,
    request_id text   COLLATE "C" NOT NULL,
    address    text   COLLATE "C" NOT NULL,
    state      text   COLLATE "C" NOT NULL,
    tries      bigint NOT NULL,
    next_try   bigint NOT NULL,
    last_try   bigint NOT NULL,
    result     text   COLLATE "C" NOT NULL,
    PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_try, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_latest ON webhook_deliveries (webhook_id, at, event_id);
