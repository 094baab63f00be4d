-- schema --
CREATE TABLE IF NOT EXISTS chathooks_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    key text NOT NULL,
    kind text NOT NULL,
    stream text NOT NULL,
    body bytea NOT NULL,
    headers bytea NOT NULL,
    received_at_ms bigint NOT NULL,
    state text NOT NULL DEFAULT 'waiting',  -- waiting, done, dead
    attempts integer NOT NULL DEFAULT 0,
    finished bytea NOT NULL DEFAULT '[]',
    error text
);
CREATE INDEX IF NOT EXISTS chathooks_jobs_waiting ON chathooks_jobs (stream, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS chathooks_jobs_dead ON chathooks_jobs (id) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS chathooks_jobs_done ON chathooks_jobs (id) WHERE state = 'done';
CREATE TABLE IF NOT EXISTS chathooks_lanes (
    stream text PRIMARY KEY,
    due_at_ms bigint NOT NULL,
    lease text
);
CREATE INDEX IF NOT EXISTS chathooks_lanes_due ON chathooks_lanes (due_at_ms);

-- insert_job --
INSERT INTO chathooks_jobs (digest, key, kind, stream, body, headers, received_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (digest) DO NOTHING
RETURNING 1;

-- open_lane --
INSERT INTO chathooks_lanes AS l (stream, due_at_ms) VALUES ($1, $2)
ON CONFLICT (stream) DO UPDATE SET due_at_ms = l.due_at_ms;

-- set_lane --
INSERT INTO chathooks_lanes (stream, due_at_ms) VALUES ($1, $2)
ON CONFLICT (stream) DO UPDATE SET due_at_ms = excluded.due_at_ms, lease = NULL;

-- due_lanes --
SELECT stream FROM chathooks_lanes WHERE due_at_ms <= $1 ORDER BY due_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED;

-- lease_lane --
UPDATE chathooks_lanes SET due_at_ms = $1, lease = $2 WHERE stream = $3;

-- head --
SELECT id, key, kind, stream, body, headers, received_at_ms, attempts + 1, finished
FROM chathooks_jobs WHERE stream = $1 AND state = 'waiting' ORDER BY id LIMIT 1;

-- holds --
SELECT 1 FROM chathooks_lanes WHERE stream = $1 AND lease = $2 FOR UPDATE;

-- next_in_lane --
SELECT 1 FROM chathooks_jobs WHERE stream = $1 AND state = 'waiting' LIMIT 1;

-- close_lane --
DELETE FROM chathooks_lanes WHERE stream = $1;

-- finish --
UPDATE chathooks_jobs SET state = 'done', body = '', headers = '{}', attempts = attempts + 1 WHERE id = $1;

-- fail --
UPDATE chathooks_jobs SET attempts = attempts + 1, error = $1, finished = $2 WHERE id = $3;

-- bury --
UPDATE chathooks_jobs SET state = 'dead', attempts = attempts + 1, error = $1 WHERE id = $2;

-- dead --
SELECT id, key, kind, stream, attempts, error FROM chathooks_jobs WHERE state = 'dead' ORDER BY id DESC LIMIT $1;

-- revive --
UPDATE chathooks_jobs SET state = 'waiting', attempts = 0, error = NULL
WHERE id = $1 AND state = 'dead' RETURNING stream;

-- set_timer --
INSERT INTO chathooks_jobs (digest, key, kind, stream, body, headers, received_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (digest) DO UPDATE SET
    kind = excluded.kind, body = excluded.body, received_at_ms = excluded.received_at_ms,
    state = 'waiting', attempts = 0, finished = '[]', error = NULL;

-- lock_lane --
SELECT lease IS NOT NULL AND due_at_ms > $2 FROM chathooks_lanes WHERE stream = $1 FOR UPDATE;

-- forget_timer --
DELETE FROM chathooks_jobs WHERE digest = $1 RETURNING state;

-- prune --
DELETE FROM chathooks_jobs WHERE state = 'done' AND id <= (SELECT max(id) FROM chathooks_jobs) - $1;

-- waiting --
SELECT count(*) FROM chathooks_jobs WHERE state = 'waiting';

-- stored --
SELECT key, kind, stream, body, state FROM chathooks_jobs ORDER BY id LIMIT $1 OFFSET $2;
