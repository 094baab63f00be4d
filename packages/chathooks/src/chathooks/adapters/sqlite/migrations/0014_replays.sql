-- additive: an index that is kept by itself, and a table that nothing else reads.
-- What did not go well is looked for in the log and replayed: found without walking over what was delivered.
CREATE INDEX deliveries_troubled ON deliveries (lane, state, number) WHERE state IN (2, 4, 5, 6);

-- Replays of many deliveries that go on after their call.
CREATE TABLE replays (
    replay INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    created_at INTEGER NOT NULL,           -- unix ms, as all times here
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    states TEXT NOT NULL,                  -- JSON array of states
    triggers TEXT,                         -- JSON array of trigger numbers; NULL: all
    first_number INTEGER NOT NULL,
    next_number INTEGER NOT NULL,          -- done below
    stop_number INTEGER NOT NULL,
    replayed INTEGER NOT NULL,
    ended_at INTEGER,
    stopped INTEGER NOT NULL DEFAULT 0     -- 1: by request, or because the webhook was deleted
);
CREATE INDEX replays_running ON replays (replay) WHERE ended_at IS NULL;
CREATE INDEX replays_of_lane ON replays (lane, replay);
