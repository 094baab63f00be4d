-- prepare_session --
SELECT set_config('statement_timeout', ?, false), set_config('lock_timeout', ?, false),
    set_config('idle_in_transaction_session_timeout', ?, false), set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '3', false), set_config('tcp_keepalives_count', '3', false),
    set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false), set_config('client_min_messages', 'warning', false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
            ELSE current_setting('synchronous_commit') END, false)

-- facts --
SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
    current_setting('fsync'), pg_is_in_recovery()

-- settings_of_server --
SELECT current_setting('full_page_writes'), current_setting('synchronous_commit'),
    current_setting('max_connections')::bigint, current_setting('superuser_reserved_connections')::bigint,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())

-- time_now --
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- seats_now --
SELECT name, works, seat, beat, EXISTS (
        SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.classid::bigint = (hashtext(current_schema())::bigint & 4294967295) AND l.objid::bigint = seats.seat),
    (SELECT count(*) FROM shares WHERE shares.seat = seats.seat AND share <> 0),
    EXISTS (SELECT 1 FROM shares WHERE shares.seat = seats.seat AND share = 0)
FROM seats ORDER BY name, seat

-- read_begin --
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

-- begin --
BEGIN; SAVEPOINT command

-- next_savepoint --
RELEASE SAVEPOINT command; SAVEPOINT command

-- undo_command --
ROLLBACK TO SAVEPOINT command

-- commit --
COMMIT

-- rollback --
ROLLBACK

-- enabled_endpoints --
SELECT id, url FROM webhooks WHERE deleted_at IS NULL AND enabled = 1 ORDER BY lane LIMIT ?
