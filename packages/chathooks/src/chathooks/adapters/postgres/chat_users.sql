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
SELECT coalesce(sum(value), 0)::bigint FROM chat_counters WHERE app = ? AND name = ?

-- range_of_page --
SELECT first, before FROM (
    SELECT first, (sum({number}) OVER (ORDER BY first) - ({number}))::bigint AS before
    FROM user_ranges WHERE app = ?
) AS part1
WHERE before <= ? ORDER BY first DESC LIMIT 1

-- list_users --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users AS u WHERE app = ? AND uid >= ? AND built_in = 0{where}
ORDER BY uid LIMIT ? OFFSET ?

-- list_users_of_role --
SELECT "user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM users AS u WHERE app = ? AND role = ? AND built_in = 0{where}
ORDER BY uid LIMIT ? OFFSET ?

-- count_users_of_role --
SELECT count(*) FROM (
    SELECT 1 FROM users AS u WHERE app = ? AND role = ? AND built_in = 0{where} LIMIT ?
) AS part1

-- list_users_found --
SELECT u."user", uid, name, avatar, link, role, status_message, metadata, private_metadata, tags,
    created_at, updated_at, deactivated_at, built_in
FROM ({candidates}) AS found JOIN users AS u ON u."user" = found."user"
WHERE built_in = 0{where}
ORDER BY uid LIMIT ? OFFSET ?

-- count_users_found --
SELECT count(*) FROM ({candidates}) AS found JOIN users AS u ON u."user" = found."user"
WHERE built_in = 0{where}

-- of_tag --
SELECT DISTINCT "user" FROM (
    SELECT "user" FROM user_tags WHERE app = ? AND tag = ANY (?) LIMIT ?
) AS part1

-- of_uid --
SELECT "user" FROM users WHERE app = ? AND uid >= ? AND uid < ? ORDER BY uid LIMIT ?

-- of_name --
SELECT "user" FROM users WHERE app = ? AND name_folded >= ? AND name_folded < ?
ORDER BY name_folded LIMIT ?

-- of_uid_or_name --
SELECT "user" FROM (
    SELECT "user" FROM users WHERE app = ? AND uid >= ? AND uid < ? ORDER BY uid LIMIT ?
) AS part1
UNION
SELECT "user" FROM (
    SELECT "user" FROM users WHERE app = ? AND name_folded >= ? AND name_folded < ?
    ORDER BY name_folded LIMIT ?
) AS part2

-- of_role --
SELECT "user" FROM users WHERE app = ? AND role = ANY (?) LIMIT ?

-- where_uid_begins --
(uid >= ? AND uid < ?)

-- where_name_begins --
(name_folded >= ? AND name_folded < ?)

-- where_uid_or_name_begins --
(uid >= ? AND uid < ? OR name_folded >= ? AND name_folded < ?)

-- where_role --
role = ANY (?)
