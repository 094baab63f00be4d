-- get_meta --
SELECT value FROM meta WHERE name = ?

-- set_meta --
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- ping --
SELECT position FROM fanout

-- set_compatible --
INSERT INTO meta (name, value) VALUES ('schema_compatible_from', '{number}')
ON CONFLICT (name) DO UPDATE SET value = excluded.value
