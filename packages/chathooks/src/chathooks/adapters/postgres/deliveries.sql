-- fanout_position --
SELECT position FROM fanout

-- read_feed --
SELECT position, app, trigger_number, stream, created_at, CASE trigger_number WHEN 0 THEN data END
FROM feed WHERE position > ? ORDER BY position LIMIT ?

-- save_fanout_position --
UPDATE fanout SET position = ?

-- load_lanes --
SELECT l.lane, l.app, l.enabled, l.ordered, l.triggers, l.next_number, p.cursor, p.head, l.withdrawn,
    l.created, l.moved
FROM lanes l JOIN progress p ON p.lane = l.lane
WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1))

-- save_lane --
INSERT INTO lanes (lane, app, enabled, ordered, triggers, next_number, withdrawn, share, created, moved)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
ON CONFLICT (lane) DO UPDATE SET enabled = excluded.enabled, ordered = excluded.ordered,
    triggers = excluded.triggers, withdrawn = excluded.withdrawn, moved = excluded.moved

-- make_progress --
INSERT INTO progress (lane, cursor, head, waiting, seen) VALUES (?, ?, ?, 0, 0) ON CONFLICT (lane) DO NOTHING

-- moved_lanes --
SELECT l.lane, l.app, l.enabled, l.ordered, l.triggers, l.next_number, p.cursor, p.head, l.withdrawn,
    l.created, l.moved
FROM lanes l JOIN progress p ON p.lane = l.lane
WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1)) AND l.moved > ?2 AND l.moved <= ?3

-- insert_delivery --
INSERT INTO deliveries (lane, number, position, trigger_number, state, ordered_stream, created_at,
    attempt, failures, replay)
SELECT lane, number, position, trigger_number, state, ordered_stream, created_at, 0, 0, 0
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
    AS made (lane, number, position, trigger_number, state, ordered_stream, created_at)

-- stream_busy --
SELECT DISTINCT ordered_stream FROM deliveries WHERE lane = ? AND ordered_stream = ANY (?)

-- waiting_at_cursor --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 0, d.trigger_number, d.ordered_stream,
    d.created_at, f.event_id, f.sequence, f.data
FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.number >= ? AND d.state = 0 AND d.due_at IS NULL
ORDER BY d.number LIMIT ?

-- waiting_due --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 1, d.trigger_number, d.ordered_stream,
    d.created_at, f.event_id, f.sequence, f.data
FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.due_at > 0 AND d.due_at <= ? AND d.replay >= ?
ORDER BY d.due_at, d.number LIMIT ?

-- claim_range --
UPDATE deliveries SET state = 1, attempt = attempt + 1
WHERE lane = ? AND number >= ? AND number <= ? AND state = 0 AND due_at IS NULL

-- claim_one --
UPDATE deliveries SET state = 1, attempt = attempt + 1
FROM unnest(?::bigint[], ?::bigint[]) AS claimed (lane, number)
WHERE deliveries.lane = claimed.lane AND deliveries.number = claimed.number

-- claim_due --
UPDATE deliveries SET state = 1, attempt = attempt + 1, due_at = 0
FROM unnest(?::bigint[], ?::bigint[]) AS claimed (lane, number)
WHERE deliveries.lane = claimed.lane AND deliveries.number = claimed.number

-- hand_back --
UPDATE deliveries SET state = CASE WHEN failures > 0 THEN 2 ELSE 0 END, attempt = attempt - 1, due_at = ?::bigint
FROM unnest(?::bigint[], ?::bigint[]) AS returned (lane, number)
WHERE deliveries.lane = returned.lane AND deliveries.number = returned.number

-- next_due --
SELECT due_at FROM deliveries
WHERE lane = ? AND due_at > 0 AND replay >= ? ORDER BY due_at LIMIT 1

-- save_progress --
UPDATE progress SET cursor = saved.cursor, head = saved.head, waiting = saved.waiting, seen = saved.seen
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
    AS saved (cursor, head, waiting, seen, lane)
WHERE progress.lane = saved.lane

-- save_numbers --
UPDATE lanes SET next_number = saved.next_number, created = lanes.created + saved.created, moved = saved.moved
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[]) AS saved (next_number, created, moved, lane)
WHERE lanes.lane = saved.lane

-- backlogs --
SELECT l.lane, p.waiting + l.created - p.seen FROM lanes l JOIN progress p ON p.lane = l.lane
WHERE p.waiting + l.created > p.seen

-- backlog --
SELECT p.waiting + l.created - p.seen FROM lanes l JOIN progress p ON p.lane = l.lane WHERE l.lane = ?

-- record_attempt --
INSERT INTO attempts (lane, number, attempt, started_at, duration_us, status, failure, detail,
    response_headers, response_body)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[],
    ?::text[], ?::bytea[], ?::bytea[], ?::bytea[])

-- settle_delivered --
UPDATE deliveries SET state = 3, failures = 0, due_at = NULL, ordered_stream = NULL
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) AS runs (lane, low, high)
WHERE deliveries.lane = runs.lane AND deliveries.number BETWEEN runs.low AND runs.high

-- settle_plainly_delivered --
UPDATE deliveries SET state = 3
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) AS runs (lane, low, high)
WHERE deliveries.lane = runs.lane AND deliveries.number BETWEEN runs.low AND runs.high

-- settle --
UPDATE deliveries SET state = settled.state, failures = settled.failures, due_at = settled.due_at,
    ordered_stream = settled.ordered_stream
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
    AS settled (state, failures, due_at, ordered_stream, lane, number)
WHERE deliveries.lane = settled.lane AND deliveries.number = settled.number

-- held_at_head --
SELECT number, state FROM deliveries
WHERE lane = ? AND ordered_stream = ? ORDER BY number LIMIT 1

-- release --
UPDATE deliveries SET state = 0, due_at = ? WHERE lane = ? AND number = ? AND state = 7

-- add_sweep --
INSERT INTO sweeps (lane, below_number, from_number)
VALUES (?1, ?2, least(
    COALESCE((SELECT cursor FROM progress WHERE lane = ?1), 1),
    COALESCE((SELECT MIN(number) FROM deliveries WHERE lane = ?1 AND due_at IS NOT NULL), ?2),
    COALESCE((SELECT MIN(number) FROM deliveries WHERE lane = ?1 AND ordered_stream IS NOT NULL), ?2)))
ON CONFLICT (lane) DO UPDATE SET from_number = excluded.from_number,
    below_number = greatest(sweeps.below_number, excluded.below_number)
RETURNING lane, from_number, below_number

-- load_sweeps --
SELECT s.lane, s.from_number, s.below_number FROM sweeps s JOIN lanes l ON l.lane = s.lane
WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1)) ORDER BY s.lane

-- sweep --
SELECT number, ordered_stream, failures FROM deliveries
WHERE lane = ?1 AND number >= ?2 AND number < ?3 AND state IN (0, 2, 7) AND replay = 0
    AND (number < ?4 OR number < COALESCE((
        SELECT withdrawn.below FROM unnest(?5::bigint[], ?6::bigint[]) AS withdrawn (kind, below)
        WHERE withdrawn.kind = trigger_number), 0))
ORDER BY number

-- swept --
UPDATE sweeps SET from_number = ? WHERE lane = ?

-- drop_sweep --
DELETE FROM sweeps WHERE lane = ?

-- interrupted_first --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 0, d.trigger_number, d.ordered_stream,
    d.created_at, '', NULL, ''::bytea
FROM progress p JOIN lanes l ON l.lane = p.lane CROSS JOIN LATERAL (
    SELECT * FROM deliveries
    WHERE lane = p.lane AND number >= p.head AND number < p.cursor AND state = 1 AND due_at IS NULL
    OFFSET 0
) AS d
WHERE p.head < p.cursor AND (?1::bigint[] IS NULL OR l.share = ANY (?1))

-- interrupted_due --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 1, d.trigger_number, d.ordered_stream,
    d.created_at, '', NULL, ''::bytea
FROM deliveries d WHERE d.lane = ? AND d.due_at = 0

-- bring_forward --
UPDATE deliveries SET due_at = ? WHERE lane = ? AND due_at > ?

-- lanes_due --
SELECT d.lane, MIN(d.due_at), count(*) FILTER (WHERE d.replay = 0) FROM deliveries d
WHERE d.due_at IS NOT NULL AND (?1::bigint[] IS NULL OR d.lane IN (SELECT l.lane FROM lanes l WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1))))
GROUP BY d.lane

-- due_lanes --
WITH RECURSIVE due (lane) AS (
    SELECT MIN(lane) FROM deliveries WHERE due_at IS NOT NULL
    UNION ALL
    SELECT (SELECT MIN(d.lane) FROM deliveries d WHERE d.due_at IS NOT NULL AND d.lane > due.lane)
    FROM due WHERE due.lane IS NOT NULL
)
SELECT l.lane, (SELECT MIN(d.due_at) FROM deliveries d WHERE d.lane = l.lane AND d.due_at > 0)
FROM due JOIN lanes l ON l.lane = due.lane WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1))

-- lanes_held --
SELECT l.lane, COUNT(*) FROM lanes l JOIN progress p ON p.lane = l.lane JOIN deliveries d
    ON d.lane = l.lane AND d.ordered_stream IS NOT NULL
WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1)) AND d.number < p.cursor AND d.state = 7 GROUP BY l.lane

-- held_heads --
SELECT lane, ordered_stream FROM (
    SELECT d.lane, d.ordered_stream, MIN(d.number) AS number FROM lanes l JOIN deliveries d
        ON d.lane = l.lane AND d.ordered_stream IS NOT NULL
    WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1)) GROUP BY d.lane, d.ordered_stream
) AS heads
WHERE (SELECT h.state FROM deliveries h WHERE h.lane = heads.lane AND h.number = heads.number) = 7

-- held_streams --
SELECT DISTINCT ordered_stream FROM deliveries
WHERE lane = ? AND number >= ? AND number < ? AND state = 7

-- lanes_pending --
SELECT l.lane, waiting.count, l.created FROM lanes l JOIN progress p ON p.lane = l.lane CROSS JOIN LATERAL (
    SELECT count(*) FROM deliveries d WHERE d.lane = l.lane AND d.number >= p.cursor AND d.state IN (0, 7)
) AS waiting
WHERE (?1::bigint[] IS NULL OR l.share = ANY (?1)) AND p.cursor < l.next_number AND waiting.count > 0

-- webhook_config --
SELECT w.lane, w.app, a.id, a.region, w.id, w.url, w.use_basic_auth, w.username, w.password_sealed,
    w.enabled, w.deleted_at IS NOT NULL, w.retry_on_failure, w.ordered, w.max_concurrency,
    w.secret_sealed, w.previous_secret_sealed, w.previous_expires_at
FROM webhooks w JOIN apps a ON a.app = w.app WHERE w.lane = ?

-- oldest_waiting --
SELECT created_at FROM deliveries
WHERE lane = ? AND number >= ? AND state IN (0, 7) ORDER BY number LIMIT 1

-- outbox_waiting --
SELECT (SELECT MAX(position) FROM feed) - ?1,
    (SELECT created_at FROM feed WHERE position > ?1 ORDER BY position LIMIT 1)

-- oldest_of_lane --
SELECT number, state, created_at FROM deliveries WHERE lane = ? ORDER BY number LIMIT ?

-- prune_attempts --
DELETE FROM attempts WHERE lane = ? AND number = ANY (?)

-- prune_delivery --
DELETE FROM deliveries WHERE lane = ? AND number = ANY (?)

-- prune_feed --
DELETE FROM feed WHERE position IN (
    SELECT position FROM feed WHERE position < ?2 AND position < COALESCE((
        SELECT position FROM (SELECT position, created_at FROM feed ORDER BY position LIMIT ?3) AS oldest
        WHERE created_at >= ?1 ORDER BY position LIMIT 1), ?2)
    ORDER BY position LIMIT ?3)

-- oldest_in_lane --
SELECT min(oldest.position) FROM lanes CROSS JOIN LATERAL (
    SELECT position FROM deliveries WHERE deliveries.lane = lanes.lane ORDER BY number LIMIT 1
) AS oldest
