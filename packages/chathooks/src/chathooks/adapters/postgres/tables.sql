-- has_progress --
SELECT to_regclass('chathooks_copy') IS NOT NULL

-- has_apps --
SELECT EXISTS (SELECT 1 FROM apps)

-- make_progress --
CREATE TABLE chathooks_copy (
    "table" TEXT PRIMARY KEY,
    last_key TEXT NOT NULL,                -- JSON of the key of the last row copied
    copied BIGINT NOT NULL,
    finished BOOLEAN NOT NULL
)

-- drop_progress --
DROP TABLE chathooks_copy

-- load_progress --
SELECT "table", last_key, copied, finished FROM chathooks_copy

-- save_progress --
INSERT INTO chathooks_copy ("table", last_key, copied, finished) VALUES (?, ?, ?, ?)
ON CONFLICT ("table") DO UPDATE SET last_key = excluded.last_key, copied = excluded.copied,
    finished = excluded.finished

-- kinds --
SELECT column_name::text, data_type::text FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = ?

-- disable_triggers --
ALTER TABLE {table} DISABLE TRIGGER USER

-- enable_triggers --
ALTER TABLE {table} ENABLE TRIGGER USER

-- clear --
DELETE FROM {table}

-- copy_in --
COPY {table} ({columns}) FROM STDIN

-- first_rows --
SELECT {columns} FROM {table} ORDER BY {key} LIMIT {places}

-- next_rows --
SELECT {columns} FROM {table} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT {last_place}

-- set_identity --
SELECT setval(pg_get_serial_sequence(?, ?), greatest(?::bigint, 1), ?::bigint > 0)

-- highest --
SELECT coalesce(max({key}), 0) FROM {table}

-- set_counter --
UPDATE counters SET value = ? WHERE name = ?

-- analyze --
ANALYZE
