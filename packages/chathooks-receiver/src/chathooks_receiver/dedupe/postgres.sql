-- schema --
CREATE TABLE IF NOT EXISTS chathooks_seen (
    digest bytea PRIMARY KEY,
    claimed_until timestamptz,  -- NULL: confirmed
    claimed_by text,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS chathooks_seen_by_time ON chathooks_seen (seen_at);

-- claim --
INSERT INTO chathooks_seen AS s (digest, claimed_until, claimed_by)
VALUES ($1, now() + make_interval(secs => $2), $3)
ON CONFLICT (digest) DO UPDATE SET claimed_until = excluded.claimed_until, claimed_by = excluded.claimed_by
WHERE s.claimed_until <= now()
RETURNING 1;

-- state --
SELECT claimed_until IS NULL FROM chathooks_seen WHERE digest = $1;

-- confirm --
INSERT INTO chathooks_seen (digest) VALUES ($1)
ON CONFLICT (digest) DO UPDATE SET claimed_until = NULL, claimed_by = NULL, seen_at = now();

-- release --
DELETE FROM chathooks_seen WHERE digest = $1 AND claimed_by = $2 AND claimed_until IS NOT NULL;

-- prune --
DELETE FROM chathooks_seen WHERE digest IN (
    SELECT digest FROM chathooks_seen
    WHERE seen_at < now() - make_interval(secs => $1) ORDER BY seen_at LIMIT 2000
);
