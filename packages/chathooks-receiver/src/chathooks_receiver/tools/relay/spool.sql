-- schema --
CREATE TABLE IF NOT EXISTS place (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    trigger TEXT NOT NULL,
    data BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS waiting_due ON waiting (failed, due_at_ms, number);

-- read_place --
SELECT value FROM place WHERE key = ?

-- write_place --
INSERT INTO place (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- keep --
INSERT INTO waiting (event_id, trigger, data) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING

-- due --
SELECT number, event_id, trigger, data, attempts FROM waiting
WHERE failed = 0 AND due_at_ms <= ? ORDER BY number LIMIT ?

-- next_due --
SELECT MIN(due_at_ms) FROM waiting WHERE failed = 0

-- forwarded --
DELETE FROM waiting WHERE number = ?

-- refused --
UPDATE waiting SET attempts = ?, due_at_ms = ?, failed = ? WHERE number = ?

-- again --
UPDATE waiting SET attempts = 0, due_at_ms = 0, failed = 0 WHERE failed = 1

-- count --
SELECT COUNT(*) FILTER (WHERE failed = 0), COUNT(*) FILTER (WHERE failed = 1) FROM waiting
