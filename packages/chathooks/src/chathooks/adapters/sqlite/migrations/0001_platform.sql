CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Apps and keys ------------------------------------------------------------------------------------------

CREATE TABLE apps (
    app INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at INTEGER NOT NULL            -- unix seconds
);

CREATE TABLE api_keys (
    digest BLOB PRIMARY KEY,               -- SHA-256 of the key
    app INTEGER NOT NULL REFERENCES apps,
    masked TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,                   -- fullAccess | authOnly
    created_at INTEGER NOT NULL            -- unix seconds
) WITHOUT ROWID;
CREATE INDEX api_keys_of_app ON api_keys (app, created_at);

CREATE TABLE management_keys (
    key_digest BLOB PRIMARY KEY,
    secret_digest BLOB NOT NULL,
    masked TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The feed: every event and every webhook change, in commit order -------------------------------------------

CREATE TABLE streams (
    stream INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    name TEXT NOT NULL,                    -- user/<uid>/<uid> | group/<guid> | session/<id>
    sequence INTEGER NOT NULL,             -- of the stream's latest event
    UNIQUE (app, name)
);

CREATE TABLE feed (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL,
    trigger_number INTEGER NOT NULL,       -- number in the event catalog; 0: a webhook change
    event_id TEXT,
    stream INTEGER,
    sequence INTEGER,
    created_at INTEGER NOT NULL,           -- unix ms
    data BLOB NOT NULL                     -- the event's data as it is sent, or the webhook's new state
);

-- Webhooks as they are now (what an attempt uses) ------------------------------------------------------------

CREATE TABLE webhooks (
    lane INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL REFERENCES apps,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    use_basic_auth INTEGER NOT NULL,
    username TEXT,
    password_sealed BLOB,
    enabled INTEGER NOT NULL,
    retry_on_failure INTEGER NOT NULL,
    ordered INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    secret_sealed BLOB NOT NULL,
    previous_secret_sealed BLOB,
    previous_expires_at INTEGER,           -- unix ms
    created_at INTEGER NOT NULL,           -- unix seconds
    updated_at INTEGER NOT NULL,           -- unix seconds
    deleted_at INTEGER,                    -- unix seconds; the row stays: its counters go on, its log is readable
    UNIQUE (app, id)
);

CREATE TABLE webhook_triggers (
    lane INTEGER NOT NULL REFERENCES webhooks,
    trigger_number INTEGER NOT NULL,
    PRIMARY KEY (lane, trigger_number)
) WITHOUT ROWID;

-- Lanes: webhooks as of the fan-out's place in the feed, and each lane's progress ------------------------------

CREATE TABLE fanout (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL              -- of the last feed entry that was fanned out
);
INSERT INTO fanout (only, position) VALUES (1, 0);

CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    ordered INTEGER NOT NULL,
    triggers TEXT NOT NULL,                -- JSON array of trigger numbers
    next_number INTEGER NOT NULL,          -- of the next delivery
    cursor INTEGER NOT NULL,               -- deliveries from here on were never claimed
    head INTEGER NOT NULL,                 -- every first attempt below it has ended
    withdrawn TEXT NOT NULL DEFAULT '{}'   -- JSON: trigger number (0: all) -> deliveries below were cancelled
);

CREATE TABLE deliveries (
    lane INTEGER NOT NULL,
    number INTEGER NOT NULL,               -- gap-free per lane
    position INTEGER NOT NULL,             -- of the event in the feed
    trigger_number INTEGER NOT NULL,
    state INTEGER NOT NULL,                -- chathooks.delivery.queue.State
    attempt INTEGER NOT NULL,              -- attempts begun so far
    failures INTEGER NOT NULL,             -- failed attempts that count for the schedule
    replay INTEGER NOT NULL,
    due_at INTEGER,                        -- steady ms; set while claimable out of number order; 0: such a one in flight
    ordered_stream INTEGER,                -- set in ordered lanes until the delivery has ended
    created_at INTEGER NOT NULL,           -- unix ms
    PRIMARY KEY (lane, number)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (lane, due_at, number) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_ordered ON deliveries (lane, ordered_stream, number) WHERE ordered_stream IS NOT NULL;

CREATE TABLE cancellations (
    cancellation INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    trigger_number INTEGER,                -- NULL: all
    from_number INTEGER NOT NULL,          -- done below
    below_number INTEGER NOT NULL
);

CREATE TABLE attempts (
    lane INTEGER NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,           -- unix ms
    duration_us INTEGER NOT NULL,
    status INTEGER,
    failure TEXT,
    detail TEXT NOT NULL,                  -- JSON: timings, remote IP, flags
    response_headers BLOB NOT NULL,
    response_body BLOB NOT NULL,
    PRIMARY KEY (lane, number, attempt)
) WITHOUT ROWID;
