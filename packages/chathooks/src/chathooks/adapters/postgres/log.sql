-- lane_owner --
SELECT app, id FROM webhooks WHERE lane = ?

-- deliveries_below --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND number < ? ORDER BY number DESC LIMIT ?

-- delivery_from --
SELECT number, trigger_number, state, due_at, created_at FROM deliveries
WHERE lane = ? AND number >= ? ORDER BY number LIMIT 1

-- event_of --
SELECT f.event_id, f.sequence FROM deliveries d JOIN feed f ON f.position = d.position
WHERE d.lane = ? AND d.number = ?

-- attempts_of --
SELECT attempt, started_at, duration_us, status, failure, detail, response_headers, response_body FROM attempts
WHERE lane = ? AND number = ? ORDER BY attempt DESC LIMIT ?
