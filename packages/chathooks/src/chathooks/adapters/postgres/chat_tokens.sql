-- add_auth_token --
INSERT INTO auth_tokens (digest, app, "user", masked, created_at) VALUES (?, ?, ?, ?, ?)

-- auth_token --
SELECT digest, "user", masked, created_at, platform, user_agent, app_info FROM auth_tokens
WHERE digest = ? AND app = ?

-- list_auth_tokens --
SELECT digest, "user", masked, created_at, platform, user_agent, app_info FROM auth_tokens
WHERE "user" = ? ORDER BY created_at, digest LIMIT ? OFFSET ?

-- count_auth_tokens --
SELECT count(*) FROM auth_tokens WHERE "user" = ?

-- update_auth_token --
UPDATE auth_tokens SET platform = ?, user_agent = ?, app_info = ? WHERE digest = ?

-- delete_auth_token --
DELETE FROM auth_tokens WHERE digest = ?

-- delete_auth_tokens --
DELETE FROM auth_tokens WHERE "user" = ?

-- drop_oldest_auth_token --
DELETE FROM auth_tokens WHERE digest = (
    SELECT digest FROM auth_tokens WHERE "user" = ? ORDER BY created_at, digest LIMIT 1
)
