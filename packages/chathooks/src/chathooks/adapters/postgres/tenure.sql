-- new_seat --
INSERT INTO seats (name, works, session, batch, beat) VALUES (?, ?, pg_backend_pid(), 0, 0) RETURNING seat, session

-- lock_seat --
SELECT pg_advisory_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- try_seat --
SELECT pg_try_advisory_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- try_seat_now --
SELECT pg_try_advisory_xact_lock((hashtext(current_schema())::bigint << 32) | ?::bigint)

-- end_session --
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = (hashtext(current_schema())::bigint & 4294967295) AND objid::bigint = ?1::bigint
    AND objsubid = 1 AND granted AND pid = (SELECT session FROM seats WHERE seat = ?1)

-- look_at_seat --
UPDATE seats SET session = pg_backend_pid() WHERE seat = ? RETURNING batch, session

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
