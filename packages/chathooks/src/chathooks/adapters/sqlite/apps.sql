-- has_apps --
SELECT 1 FROM apps LIMIT 1

-- find_app --
SELECT app, id, name, region FROM apps WHERE id = ?

-- find_api_key --
SELECT a.app, a.id, a.name, a.region, k.scope
FROM api_keys k JOIN apps a ON a.app = k.app WHERE k.digest = ?

-- find_management_secret --
SELECT secret_digest FROM management_keys WHERE key_digest = ?

-- management_secrets --
SELECT secret_digest FROM management_keys LIMIT 100

-- insert_app --
INSERT INTO apps (id, name, region, created_at) VALUES (?, ?, ?, ?)

-- insert_api_key --
INSERT INTO api_keys (digest, app, masked, name, scope, created_at) VALUES (?, ?, ?, ?, ?, ?)

-- insert_management_key --
INSERT INTO management_keys (key_digest, secret_digest, masked, created_at) VALUES (?, ?, ?, ?)
