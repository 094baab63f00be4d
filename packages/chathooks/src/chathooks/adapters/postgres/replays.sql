-- replayable_one --
SELECT w.app, w.deleted_at IS NOT NULL, d.state,
    EXISTS (SELECT 1 FROM feed f WHERE f.position = d.position)
FROM deliveries d JOIN webhooks w ON w.lane = d.lane WHERE d.lane = ? AND d.number = ?

-- replayable_window --
SELECT d.number, LENGTH(f.data) FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ?1 AND d.number >= ?2 AND d.number < ?3 AND d.created_at >= ?4 AND d.created_at < ?5
    AND d.state = ANY (?6)
    AND (?7::bigint[] IS NULL OR d.trigger_number = ANY (?7::bigint[]))
ORDER BY d.number

-- replayable_troubled --
SELECT d.number, LENGTH(f.data), d.created_at >= ?4 AND d.created_at < ?5
    AND (?7::bigint[] IS NULL OR d.trigger_number = ANY (?7::bigint[]))
FROM deliveries d LEFT JOIN feed f ON f.position = d.position
WHERE d.lane = ?1 AND d.state IN (2, 4, 5, 6) AND d.state = ?6 AND d.number >= ?2 AND d.number < ?3
ORDER BY d.number LIMIT ?8

-- make_replay --
UPDATE deliveries SET state = 2, failures = 0, replay = 1, due_at = ? WHERE lane = ? AND number = ANY (?)

-- numbers_of_lane --
SELECT COALESCE((SELECT number FROM deliveries WHERE lane = ?1 ORDER BY number LIMIT 1), 0),
    COALESCE((SELECT number FROM deliveries WHERE lane = ?1 ORDER BY number DESC LIMIT 1), 0)

-- created_from --
SELECT created_at FROM deliveries WHERE lane = ? AND number >= ? ORDER BY number LIMIT 1

-- recent_attempts --
SELECT AVG(duration_us) FROM (SELECT duration_us FROM attempts WHERE lane = ?
    ORDER BY number DESC, attempt DESC LIMIT ?) AS part1

-- replays_waiting --
SELECT COALESCE(SUM(replay), 0) FROM (SELECT replay FROM deliveries
    WHERE lane = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT ?) AS part1

-- insert_replay --
INSERT INTO replays (lane, created_at, from_ms, to_ms, states, triggers, first_number, next_number,
    stop_number, replayed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING replay

-- find_replay --
SELECT r.replay, r.lane, w.app, w.id, w.deleted_at IS NOT NULL, r.created_at, r.from_ms, r.to_ms, r.states,
    r.triggers, r.first_number, r.next_number, r.stop_number, r.replayed, r.ended_at, r.stopped
FROM replays r JOIN webhooks w ON w.lane = r.lane WHERE r.replay = ?

-- replays_below --
SELECT r.replay, r.lane, w.app, w.id, w.deleted_at IS NOT NULL, r.created_at, r.from_ms, r.to_ms, r.states,
    r.triggers, r.first_number, r.next_number, r.stop_number, r.replayed, r.ended_at, r.stopped
FROM replays r JOIN webhooks w ON w.lane = r.lane
WHERE r.lane = ? AND r.replay < ? ORDER BY r.replay DESC LIMIT ?

-- running_replays --
SELECT replay FROM replays WHERE ended_at IS NULL ORDER BY replay LIMIT ?

-- running_of_lane --
SELECT COUNT(*) FROM replays WHERE ended_at IS NULL AND lane = ?

-- advance_replay --
UPDATE replays SET next_number = ?, replayed = ?, ended_at = ?, stopped = ? WHERE replay = ?

-- prune_replays --
DELETE FROM replays WHERE replay IN (
    SELECT replay FROM replays ORDER BY replay LIMIT ?) AND ended_at < ?
