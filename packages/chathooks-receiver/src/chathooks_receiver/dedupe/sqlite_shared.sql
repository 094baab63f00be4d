-- schema --
CREATE TABLE IF NOT EXISTS seen (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    claimed_until_ms INTEGER,  -- NULL: confirmed
    claimed_by TEXT
);

-- state --
SELECT claimed_until_ms FROM seen WHERE digest = ?;

-- claim --
INSERT INTO seen (digest, claimed_until_ms, claimed_by) VALUES (?1, ?2, ?3)
ON CONFLICT (digest) DO UPDATE SET claimed_until_ms = ?2, claimed_by = ?3
WHERE seen.claimed_until_ms <= ?4;

-- confirm --
INSERT INTO seen (digest) VALUES (?)
ON CONFLICT (digest) DO UPDATE SET claimed_until_ms = NULL, claimed_by = NULL;

-- release --
DELETE FROM seen WHERE digest = ? AND claimed_by = ? AND claimed_until_ms IS NOT NULL;

-- prune --
DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?;

-- count --
SELECT count(*) FROM seen;
