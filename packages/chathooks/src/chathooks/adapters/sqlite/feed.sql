-- next_sequence --
INSERT INTO streams (app, name, sequence) VALUES (?, ?, 1)
ON CONFLICT (app, name) DO UPDATE SET sequence = sequence + 1
RETURNING stream, sequence

-- append_to_feed --
INSERT INTO feed (app, trigger_number, event_id, stream, sequence, created_at, data)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- feed_bounds --
SELECT (SELECT position FROM feed ORDER BY position LIMIT 1),
    (SELECT seq FROM sqlite_sequence WHERE name = 'feed')

-- feed_events --
SELECT position, trigger_number, event_id, created_at, data FROM feed
WHERE position > ?1 AND position <= ?2 AND app = ?3 AND trigger_number > 0
    AND (?4 IS NULL OR trigger_number IN (SELECT value FROM json_each(?4)))
ORDER BY position LIMIT ?5
