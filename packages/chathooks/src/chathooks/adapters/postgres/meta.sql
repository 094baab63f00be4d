-- get_meta --
SELECT value FROM meta WHERE name = ?

-- set_meta --
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- ping --
SELECT position FROM fanout
