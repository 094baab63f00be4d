-- tables --
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid

-- columns --
SELECT name, pk FROM pragma_table_info(?) ORDER BY cid

-- version --
SELECT user_version FROM pragma_user_version

-- sequences --
SELECT name, seq FROM sqlite_sequence

-- first_rows --
SELECT {columns} FROM {table} ORDER BY {key} LIMIT ?

-- next_rows --
SELECT {columns} FROM {table} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT ?

-- count --
SELECT count(*) FROM {table}
