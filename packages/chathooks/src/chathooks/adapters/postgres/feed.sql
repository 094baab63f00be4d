-- next_sequence --
INSERT INTO streams (app, name, sequence) VALUES (?, ?, 1)
ON CONFLICT (app, name) DO UPDATE SET sequence = streams.sequence + 1
RETURNING stream, sequence

-- append_to_feed --
INSERT INTO feed (position, app, trigger_number, event_id, stream, sequence, created_at, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- feed_bounds --
SELECT (SELECT position FROM feed ORDER BY position LIMIT 1),
    (SELECT value FROM counters WHERE name = 'feed')

-- feed_events --
SELECT position, trigger_number, event_id, created_at, data FROM (
    SELECT position, trigger_number, event_id, created_at, data,
        sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before
    FROM feed
    WHERE position > ?1 AND position <= ?2 AND app = ?3 AND trigger_number > 0
        AND (?4::bigint[] IS NULL OR trigger_number = ANY (?4::bigint[]))
    ORDER BY position LIMIT ?5
) AS found
WHERE bytes_before <= ?6 ORDER BY position
