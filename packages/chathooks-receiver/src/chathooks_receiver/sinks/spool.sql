-- schema --
CREATE TABLE IF NOT EXISTS spooled (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    stream TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    headers BLOB NOT NULL,
    body BLOB NOT NULL
);

-- insert --
INSERT INTO spooled (digest, stream, received_at_ms, headers, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (digest) DO NOTHING;

-- after --
SELECT number, received_at_ms, headers, body FROM spooled WHERE number > ? ORDER BY number LIMIT ?;

-- delete --
DELETE FROM spooled WHERE number = ?;

-- count --
SELECT count(*) FROM spooled;

-- oldest --
SELECT min(received_at_ms) FROM spooled;
