-- user --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users WHERE app = ? AND uid = ?

-- two_users --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users WHERE app = ? AND uid IN (?, ?) AND deactivated_at IS NULL

-- users_by_uid --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users
WHERE app = ? AND uid = ANY (?) AND deactivated_at IS NULL

-- users_by_key --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users WHERE "user" = ANY (?)

-- add_user --
INSERT INTO users (app, uid, name, name_folded, avatar, link, role, status_message, metadata,
    private_metadata, tags, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (app, uid) DO NOTHING
RETURNING "user"

-- update_user --
UPDATE users SET name = ?, name_folded = ?, avatar = ?, link = ?, role = ?, status_message = ?,
    metadata = ?, private_metadata = ?, tags = ?, updated_at = ?
WHERE "user" = ?

-- forget_tags --
DELETE FROM user_tags
WHERE "user" = ? AND app = ? AND tag IN (SELECT value FROM json_array_elements_text(?::json))

-- add_tags --
INSERT INTO user_tags (app, tag, "user") SELECT ?::bigint, value, ?::bigint FROM json_array_elements_text(?::json)

-- counter --
SELECT coalesce(sum(value), 0) FROM chat_counters WHERE app = ? AND name = ?

-- list_users --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users AS u WHERE app = ? AND built_in = 0{where}
ORDER BY uid LIMIT ? OFFSET ?

-- count_users --
SELECT count(*) FROM (
    SELECT 1 FROM users AS u WHERE app = ? AND built_in = 0{where} LIMIT ?
) AS found

-- where_uid_begins --
uid >= ? AND uid < ?

-- where_name_begins --
name_folded >= ? AND name_folded < ?

-- where_uid_or_name_begins --
u."user" IN (
    SELECT "user" FROM users WHERE app = ? AND uid >= ? AND uid < ?
    UNION ALL
    SELECT "user" FROM users WHERE app = ? AND name_folded >= ? AND name_folded < ?
)

-- where_role --
role = ANY (?)

-- where_tag --
u."user" IN (
    SELECT "user" FROM user_tags WHERE app = ? AND tag = ANY (?)
)
