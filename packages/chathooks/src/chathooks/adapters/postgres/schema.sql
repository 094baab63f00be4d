-- has_schema --
SELECT to_regclass('chathooks_schema') IS NOT NULL

-- make_schema --
CREATE TABLE chathooks_schema (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    compatible INTEGER NOT NULL,           -- programs that know this migration or a later one may use the store
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)

-- version --
SELECT coalesce(max(number), 0), coalesce(max(compatible), 0) FROM chathooks_schema

-- add_migration --
INSERT INTO chathooks_schema (number, name, compatible) VALUES (?, ?, ?)

-- no_time_limit --
SELECT set_config('statement_timeout', '0', true)
