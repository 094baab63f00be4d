-- schema --
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream TEXT NOT NULL,
    body BLOB NOT NULL,
    headers BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',  -- waiting, done, dead
    attempts INTEGER NOT NULL DEFAULT 0,
    finished BLOB NOT NULL DEFAULT '[]',
    error TEXT
);
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (stream, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (id) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS jobs_done ON jobs (id) WHERE state = 'done';
CREATE TABLE IF NOT EXISTS lanes (
    stream TEXT PRIMARY KEY,
    due_at_ms INTEGER NOT NULL,
    lease TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lanes_due ON lanes (due_at_ms);

-- insert_job --
INSERT INTO jobs (digest, key, kind, stream, body, headers, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO NOTHING;

-- open_lane --
INSERT INTO lanes (stream, due_at_ms) VALUES (?, ?) ON CONFLICT (stream) DO NOTHING;

-- set_lane --
INSERT INTO lanes (stream, due_at_ms) VALUES (?1, ?2)
ON CONFLICT (stream) DO UPDATE SET due_at_ms = ?2, lease = NULL;

-- due_lanes --
SELECT stream FROM lanes WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?;

-- lease_lane --
UPDATE lanes SET due_at_ms = ?, lease = ? WHERE stream = ?;

-- head --
SELECT id, key, kind, stream, body, headers, received_at_ms, attempts + 1, finished
FROM jobs WHERE stream = ? AND state = 'waiting' ORDER BY id LIMIT 1;

-- holds --
SELECT 1 FROM lanes WHERE stream = ? AND lease = ?;

-- next_in_lane --
SELECT 1 FROM jobs WHERE stream = ? AND state = 'waiting' LIMIT 1;

-- close_lane --
DELETE FROM lanes WHERE stream = ?;

-- finish --
UPDATE jobs SET state = 'done', body = x'', headers = x'7b7d', attempts = attempts + 1 WHERE id = ?;

-- fail --
UPDATE jobs SET attempts = attempts + 1, error = ?, finished = ? WHERE id = ?;

-- bury --
UPDATE jobs SET state = 'dead', attempts = attempts + 1, error = ? WHERE id = ?;

-- dead --
SELECT id, key, kind, stream, attempts, error FROM jobs WHERE state = 'dead' ORDER BY id DESC LIMIT ?;

-- revive --
UPDATE jobs SET state = 'waiting', attempts = 0, error = NULL WHERE id = ? AND state = 'dead' RETURNING stream;

-- set_timer --
INSERT INTO jobs (digest, key, kind, stream, body, headers, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    kind = excluded.kind, body = excluded.body, received_at_ms = excluded.received_at_ms,
    state = 'waiting', attempts = 0, finished = '[]', error = NULL;

-- forget_timer --
DELETE FROM jobs WHERE digest = ? AND (state <> 'waiting' OR NOT EXISTS (
    SELECT 1 FROM lanes WHERE lanes.stream = jobs.stream AND lanes.lease IS NOT NULL AND lanes.due_at_ms > ?
)) RETURNING state, stream;

-- prune --
DELETE FROM jobs WHERE state = 'done' AND id <= (SELECT max(id) FROM jobs) - ?;

-- waiting --
SELECT count(*) FROM jobs WHERE state = 'waiting';

-- stored --
SELECT key, kind, stream, body, state FROM jobs ORDER BY id LIMIT ? OFFSET ?;
