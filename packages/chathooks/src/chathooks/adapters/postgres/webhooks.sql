-- find_webhook --
SELECT lane, app, id, name, url, use_basic_auth, username, password_sealed, enabled, retry_on_failure, ordered,
    max_concurrency, secret_sealed, previous_secret_sealed, previous_expires_at, created_at, updated_at, deleted_at
FROM webhooks WHERE app = ? AND id = ?

-- list_webhooks --
SELECT lane, app, id, name, url, use_basic_auth, username, password_sealed, enabled, retry_on_failure, ordered,
    max_concurrency, secret_sealed, previous_secret_sealed, previous_expires_at, created_at, updated_at, deleted_at
FROM webhooks
WHERE app = ?1 AND deleted_at IS NULL AND (?2::text IS NULL OR strpos(lower(name), lower(?2::text COLLATE "C")) > 0)
ORDER BY lane LIMIT ?4 OFFSET ?3

-- count_webhooks --
SELECT count(*) FROM webhooks
WHERE app = ?1 AND deleted_at IS NULL AND (?2::text IS NULL OR strpos(lower(name), lower(?2::text COLLATE "C")) > 0)

-- insert_webhook --
INSERT INTO webhooks (name, url, use_basic_auth, username, password_sealed, enabled, retry_on_failure, ordered,
    max_concurrency, secret_sealed, previous_secret_sealed, previous_expires_at, created_at, updated_at, deleted_at,
    app, id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING lane

-- update_webhook --
UPDATE webhooks SET name = ?, url = ?, use_basic_auth = ?, username = ?, password_sealed = ?, enabled = ?,
    retry_on_failure = ?, ordered = ?, max_concurrency = ?, secret_sealed = ?, previous_secret_sealed = ?,
    previous_expires_at = ?, created_at = ?, updated_at = ?, deleted_at = ?
WHERE lane = ?

-- triggers_of --
SELECT trigger_number FROM webhook_triggers WHERE lane = ?

-- clear_triggers --
DELETE FROM webhook_triggers WHERE lane = ?

-- add_trigger --
INSERT INTO webhook_triggers (lane, trigger_number) SELECT ?::bigint, unnest(?::bigint[])

-- webhook_config --
SELECT w.lane, w.app, a.id, a.region, w.id, w.url, w.use_basic_auth, w.username, w.password_sealed, w.enabled,
    w.deleted_at IS NOT NULL, w.retry_on_failure, w.ordered, w.max_concurrency, w.secret_sealed,
    w.previous_secret_sealed, w.previous_expires_at
FROM webhooks w JOIN apps a ON a.app = w.app WHERE w.lane = ?
