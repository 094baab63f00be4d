-- schema --
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    remote TEXT,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    result TEXT NOT NULL,
    code TEXT,
    trigger TEXT,
    key TEXT,
    stream TEXT,
    attempt INTEGER,
    number INTEGER,
    body_bytes INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    sink_ms REAL
);
CREATE INDEX IF NOT EXISTS requests_by_key ON requests (key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (at_ms);
CREATE INDEX IF NOT EXISTS requests_by_result ON requests (result, id);

-- insert --
INSERT INTO requests (at_ms, remote, method, path, status, result, code, trigger, key, stream, attempt, number,
    body_bytes, duration_ms, sink_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- prune --
DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?;

-- query --
SELECT id, at_ms, remote, method, path, status, result, code, trigger, key, stream, attempt, number,
    body_bytes, duration_ms, sink_ms
FROM requests
WHERE id < coalesce(:before, 9223372036854775807) AND id > coalesce(:after, 0)
    AND (:status IS NULL OR status = :status) AND (:result IS NULL OR result = :result)
    AND (:trigger IS NULL OR trigger = :trigger) AND (:key IS NULL OR key = :key)
    AND (:since_ms IS NULL OR at_ms >= :since_ms) AND (:until_ms IS NULL OR at_ms < :until_ms)
ORDER BY id DESC LIMIT :limit;
