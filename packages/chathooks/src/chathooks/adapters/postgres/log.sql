-- lane_owner --
SELECT app, id FROM webhooks WHERE lane = ?

-- deliveries_below --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND number < ? ORDER BY number DESC LIMIT ?

-- troubled_below --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND state IN (2, 4, 5, 6) AND state = ? AND number < ? ORDER BY number DESC LIMIT ?

-- first_in_flight_below --
SELECT d.number, d.trigger_number, d.state, d.due_at, d.created_at FROM progress p CROSS JOIN deliveries d
WHERE p.lane = ?1 AND d.lane = ?1 AND d.number >= p.head AND d.number < least(p.cursor, ?2::bigint) AND d.state = 1
    AND d.due_at IS NULL
ORDER BY d.number DESC LIMIT ?3

-- due_in_flight_below --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND due_at = 0 AND number < ? ORDER BY number DESC LIMIT ?

-- delivery_from --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND number >= ? ORDER BY number LIMIT 1

-- event_of --
SELECT f.event_id, f.sequence FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.number = ?

-- attempts_of --
SELECT attempt, started_at, duration_us, status, failure, detail, response_headers, response_body FROM attempts
WHERE lane = ? AND number = ? ORDER BY attempt DESC LIMIT ?
