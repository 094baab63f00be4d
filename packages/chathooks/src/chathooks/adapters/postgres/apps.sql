-- has_apps --
SELECT 1 FROM apps LIMIT 1

-- find_app --
SELECT app, id, name, region, created_at FROM apps
WHERE id = ? AND app NOT IN (SELECT app FROM app_removals)

-- app_id_taken --
SELECT 1 FROM apps WHERE id = ?

-- list_apps --
SELECT app, id, name, region, created_at FROM apps
WHERE app NOT IN (SELECT app FROM app_removals) ORDER BY app LIMIT ? OFFSET ?

-- count_apps --
SELECT (SELECT count(*) FROM apps) - (SELECT count(*) FROM app_removals)

-- find_api_key --
SELECT a.app, a.id, a.name, a.region, a.created_at, k.scope
FROM api_keys k JOIN apps a ON a.app = k.app WHERE k.digest = ?

-- find_management_secret --
SELECT secret_digest FROM management_keys WHERE key_digest = ?

-- management_secrets --
SELECT secret_digest FROM management_keys LIMIT 100

-- insert_app --
INSERT INTO apps (id, name, region, created_at) VALUES (?, ?, ?, ?) RETURNING app

-- insert_api_key --
INSERT INTO api_keys (digest, app, masked, name, scope, created_at) VALUES (?, ?, ?, ?, ?, ?)

-- insert_management_key --
INSERT INTO management_keys (key_digest, secret_digest, masked, created_at) VALUES (?, ?, ?, ?)

-- api_key_records --
SELECT digest, masked, name, scope, created_at FROM api_keys
WHERE app = ? ORDER BY created_at, digest LIMIT 100

-- api_key_record --
SELECT digest, masked, name, scope, created_at FROM api_keys WHERE digest = ? AND app = ?

-- update_api_key --
UPDATE api_keys SET name = ?, scope = ? WHERE digest = ?

-- delete_api_key --
DELETE FROM api_keys WHERE digest = ?

-- delete_api_keys --
DELETE FROM api_keys WHERE app = ?

-- settings_of --
SELECT name, value FROM app_settings WHERE app = ? ORDER BY name

-- put_setting --
INSERT INTO app_settings (app, name, value)
SELECT ?::bigint, * FROM unnest(?::text[], ?::bigint[])
ON CONFLICT (app, name) DO UPDATE SET value = excluded.value

-- delete_setting --
DELETE FROM app_settings WHERE app = ? AND name = ANY (?)
