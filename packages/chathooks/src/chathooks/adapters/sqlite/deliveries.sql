-- fanout_position --
SELECT position FROM fanout

-- read_feed --
SELECT position, app, trigger_number, stream, created_at, CASE trigger_number WHEN 0 THEN data END
FROM feed WHERE position > ? ORDER BY position LIMIT ?

-- save_fanout_position --
UPDATE fanout SET position = ?

-- load_lanes --
SELECT lane, app, enabled, ordered, triggers, next_number, cursor, head, withdrawn FROM lanes

-- save_lane --
INSERT INTO lanes (lane, app, enabled, ordered, triggers, next_number, cursor, head, withdrawn)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (lane) DO UPDATE SET enabled = excluded.enabled, ordered = excluded.ordered,
    triggers = excluded.triggers, withdrawn = excluded.withdrawn

-- insert_delivery --
INSERT INTO deliveries (lane, number, position, trigger_number, state, ordered_stream, created_at,
    attempt, failures, replay)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)

-- stream_busy --
SELECT 1 FROM deliveries WHERE lane = ? AND ordered_stream = ? LIMIT 1

-- waiting_at_cursor --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 0, d.trigger_number, d.ordered_stream,
    d.created_at, f.event_id, f.sequence, f.data
FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.number >= ? AND d.state = 0 AND d.due_at IS NULL
ORDER BY d.number LIMIT ?

-- waiting_due --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 1, d.trigger_number, d.ordered_stream,
    d.created_at, f.event_id, f.sequence, f.data
FROM deliveries d INDEXED BY deliveries_due JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.due_at > 0 AND d.due_at <= ? AND d.replay >= ?
ORDER BY d.due_at, d.number LIMIT ?

-- claim_range --
UPDATE deliveries SET state = 1, attempt = attempt + 1
WHERE lane = ? AND number >= ? AND number <= ? AND state = 0 AND due_at IS NULL

-- claim_one --
UPDATE deliveries SET state = 1, attempt = attempt + 1 WHERE lane = ? AND number = ?

-- claim_due --
UPDATE deliveries SET state = 1, attempt = attempt + 1, due_at = 0 WHERE lane = ? AND number = ?

-- hand_back --
UPDATE deliveries SET state = 0, attempt = attempt - 1, due_at = ? WHERE lane = ? AND number = ?

-- next_due --
SELECT due_at FROM deliveries INDEXED BY deliveries_due
WHERE lane = ? AND due_at > 0 AND replay >= ? ORDER BY due_at LIMIT 1

-- save_progress --
UPDATE lanes SET next_number = ?, cursor = ?, head = ? WHERE lane = ?

-- record_attempt --
INSERT INTO attempts (lane, number, attempt, started_at, duration_us, status, failure, detail,
    response_headers, response_body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- settle_delivered --
UPDATE deliveries SET state = 3, failures = 0, due_at = NULL, ordered_stream = NULL
WHERE lane = ? AND number BETWEEN ? AND ?

-- settle_plainly_delivered --
UPDATE deliveries SET state = 3 WHERE lane = ? AND number BETWEEN ? AND ?

-- settle --
UPDATE deliveries SET state = ?, failures = ?, due_at = ?, ordered_stream = ? WHERE lane = ? AND number = ?

-- held_at_head --
SELECT number, state FROM deliveries INDEXED BY deliveries_ordered
WHERE lane = ? AND ordered_stream = ? ORDER BY number LIMIT 1

-- release --
UPDATE deliveries SET state = 0, due_at = ? WHERE lane = ? AND number = ? AND state = 7

-- add_sweep --
INSERT INTO sweeps (lane, below_number, from_number)
VALUES (?1, ?2, MIN(
    COALESCE((SELECT cursor FROM lanes WHERE lane = ?1), 1),
    COALESCE((SELECT MIN(number) FROM deliveries INDEXED BY deliveries_due
        WHERE lane = ?1 AND due_at IS NOT NULL), ?2),
    COALESCE((SELECT MIN(number) FROM deliveries INDEXED BY deliveries_ordered
        WHERE lane = ?1 AND ordered_stream IS NOT NULL), ?2)))
ON CONFLICT (lane) DO UPDATE SET from_number = excluded.from_number,
    below_number = MAX(below_number, excluded.below_number)
RETURNING lane, from_number, below_number

-- load_sweeps --
SELECT lane, from_number, below_number FROM sweeps ORDER BY lane

-- sweep --
SELECT number, ordered_stream, failures FROM deliveries
WHERE lane = ?1 AND number >= ?2 AND number < ?3 AND state IN (0, 2, 7) AND replay = 0
    AND (number < ?4 OR number < COALESCE(
        (SELECT value FROM json_each(?5) WHERE CAST(key AS INTEGER) = trigger_number), 0))
ORDER BY number

-- swept --
UPDATE sweeps SET from_number = ? WHERE lane = ?

-- drop_sweep --
DELETE FROM sweeps WHERE lane = ?

-- interrupted_first --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 0, d.trigger_number, d.ordered_stream,
    d.created_at, '', NULL, x''
FROM lanes l CROSS JOIN deliveries d ON d.lane = l.lane AND d.number >= l.head AND d.number < l.cursor
WHERE l.head < l.cursor AND d.state = 1 AND d.due_at IS NULL

-- interrupted_due --
SELECT d.lane, d.number, d.attempt, d.failures, d.replay, 1, d.trigger_number, d.ordered_stream,
    d.created_at, '', NULL, x''
FROM deliveries d INDEXED BY deliveries_due WHERE d.lane = ? AND d.due_at = 0

-- bring_forward --
UPDATE deliveries INDEXED BY deliveries_due SET due_at = ? WHERE lane = ? AND due_at > ?

-- lanes_due --
SELECT lane, MIN(due_at), SUM(replay = 0) FROM deliveries INDEXED BY deliveries_due
WHERE due_at IS NOT NULL GROUP BY lane

-- lanes_held --
SELECT l.lane, COUNT(*) FROM lanes l JOIN deliveries d INDEXED BY deliveries_ordered
    ON d.lane = l.lane AND d.ordered_stream IS NOT NULL
WHERE d.number < l.cursor AND d.state = 7 GROUP BY l.lane

-- lanes_pending --
SELECT l.lane, COUNT(*) FROM lanes l JOIN deliveries d ON d.lane = l.lane AND d.number >= l.cursor
WHERE l.cursor < l.next_number AND d.state IN (0, 7) GROUP BY l.lane

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
DELETE FROM attempts WHERE lane = ? AND number = ?

-- prune_delivery --
DELETE FROM deliveries WHERE lane = ? AND number = ?

-- prune_feed --
DELETE FROM feed WHERE position IN (
    SELECT position FROM feed WHERE position < ?2 AND position < COALESCE((
        SELECT position FROM (SELECT position, created_at FROM feed ORDER BY position LIMIT ?3)
        WHERE created_at >= ?1 ORDER BY position LIMIT 1), ?2)
    ORDER BY position LIMIT ?3)

-- oldest_in_lane --
SELECT position FROM deliveries WHERE lane = ? ORDER BY number LIMIT 1

-- lane_keys --
SELECT lane FROM lanes
