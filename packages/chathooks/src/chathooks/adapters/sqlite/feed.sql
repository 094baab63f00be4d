-- next_sequence --
INSERT INTO streams (app, name, sequence) VALUES (?, ?, 1)
ON CONFLICT (app, name) DO UPDATE SET sequence = sequence + 1
RETURNING stream, sequence

-- append_to_feed --
INSERT INTO feed (app, trigger_number, event_id, stream, sequence, created_at, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
