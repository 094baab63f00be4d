-- take_lock --
SELECT pg_try_advisory_lock(?::integer, hashtext(current_schema()))

-- wait_for_lock --
SELECT pg_advisory_lock(?::integer, hashtext(current_schema()))

-- share_store --
SELECT pg_advisory_lock_shared(?::integer, hashtext(current_schema()))

-- lock_migrations --
SELECT pg_advisory_lock(?::integer, hashtext(current_schema()))

-- end_session --
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = ?::bigint AND pid = ?::integer AND granted

-- new_epoch --
UPDATE lease SET epoch = epoch + 1 RETURNING epoch, batch, pg_backend_pid()

-- look_at_lease --
SELECT epoch, batch, pg_backend_pid() FROM lease

-- load_counters --
SELECT name, value FROM counters

-- sign_batch --
WITH signed AS (
    UPDATE lease SET batch = ?2 WHERE epoch = ?1 RETURNING 1
), saved AS (
    UPDATE counters SET value = moved.value
    FROM unnest(?3::text[], ?4::bigint[]) AS moved (name, value) WHERE counters.name = moved.name
)
SELECT count(*) FROM signed
