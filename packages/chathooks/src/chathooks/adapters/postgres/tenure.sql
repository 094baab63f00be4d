-- new_seat --
INSERT INTO seats (name, works, batch, beat) VALUES (?, ?, 0, 0) RETURNING seat, pg_backend_pid()

-- lock_seat --
SELECT pg_advisory_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- try_seat --
SELECT pg_try_advisory_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- try_seat_now --
SELECT pg_try_advisory_xact_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- end_session --
SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid::bigint = (hashtext(current_schema())::bigint & 4294967295) AND l.objid::bigint = ?1::bigint
    AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
    AND (l.pid = ?2::bigint OR a.state = 'idle' OR a.xact_start < clock_timestamp() - interval '2 seconds')

-- look_at_seat --
SELECT batch, pg_backend_pid() FROM seats WHERE seat = ?

-- begin_with_baton --
BEGIN; SET LOCAL lock_timeout = {baton_ms}; SELECT name, value FROM counters ORDER BY name FOR UPDATE;
SET LOCAL lock_timeout = {lock_ms}; SAVEPOINT command

-- sign_batch --
WITH signed AS (
    UPDATE seats SET batch = ?2 WHERE seat = ?1 RETURNING 1
), saved AS (
    UPDATE counters SET value = moved.value
    FROM unnest(?3::text[], ?4::bigint[]) AS moved (name, value) WHERE counters.name = moved.name
)
SELECT count(*) FROM signed

-- free_shares --
UPDATE shares SET seat = NULL, epoch = epoch + 1 WHERE seat = ?

-- drop_seat --
DELETE FROM seats WHERE seat = ?
