-- group --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at
FROM chat_groups AS g WHERE g.app = ? AND g.guid = ? AND g.deleted_at IS NULL

-- group_with_member --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at,
    m.scope, m.joined_at
FROM chat_groups AS g LEFT JOIN members AS m ON m.group_key = g.group_key AND m."user" = ?
WHERE g.app = ? AND g.guid = ? AND g.deleted_at IS NULL

-- groups_by_key --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at
FROM chat_groups AS g WHERE g.group_key = ANY (?)

-- add_group --
INSERT INTO chat_groups (app, guid, name, name_folded, type, description, icon, password_hash, owner,
    metadata, tags, members_count, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (app, guid) WHERE deleted_at IS NULL DO NOTHING
RETURNING group_key

-- update_group --
UPDATE chat_groups SET name = ?, name_folded = ?, type = ?, description = ?, icon = ?,
    password_hash = ?, owner = ?, metadata = ?, tags = ?, updated_at = ?, updated_by = ?
WHERE group_key = ?

-- resize_group --
UPDATE chat_groups SET members_count = members_count + ?, updated_at = ? WHERE group_key = ?

-- forget_tags --
DELETE FROM group_tags
WHERE group_key = ? AND app = ? AND tag IN (SELECT value FROM json_array_elements_text(?::json))

-- add_tags --
INSERT INTO group_tags (app, tag, group_key) SELECT ?::bigint, value, ?::bigint FROM json_array_elements_text(?::json)

-- delete_group --
UPDATE chat_groups SET deleted_at = ? WHERE group_key = ?

-- deleted_group --
SELECT group_key FROM chat_groups WHERE deleted_at IS NOT NULL ORDER BY group_key LIMIT 1

-- purge_members --
DELETE FROM members WHERE (group_key, "user") IN (
    SELECT group_key, "user" FROM members WHERE group_key = ? LIMIT ?
)

-- purge_bans --
DELETE FROM bans WHERE (group_key, "user") IN (
    SELECT group_key, "user" FROM bans WHERE group_key = ? LIMIT ?
)

-- purge_messages --
DELETE FROM messages WHERE message IN (
    SELECT message FROM messages WHERE group_key = ? LIMIT ?
)

-- purge_group --
DELETE FROM chat_groups WHERE group_key = ?

-- counter --
SELECT coalesce(sum(value), 0)::bigint FROM chat_counters WHERE app = ? AND name = 'groups'

-- range_of_page --
SELECT first, first_guid, before FROM (
    SELECT first, first_guid, (sum(number) OVER (ORDER BY first, first_guid) - number)::bigint AS before
    FROM group_ranges WHERE app = ? AND sort = ?
) AS part1
WHERE before <= ? ORDER BY first DESC, first_guid DESC LIMIT 1

-- list_groups --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at,
    NULL, NULL
FROM chat_groups AS g WHERE g.app = ? AND g.deleted_at IS NULL AND {from}
ORDER BY {order} LIMIT ? OFFSET ?

-- from_guid --
g.guid >= ?

-- from_name --
(g.name_folded, g.guid) >= (?, ?)

-- from_createdat --
g.group_key >= ?

-- list_groups_of_type --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at,
    NULL, NULL
FROM chat_groups AS g WHERE g.app = ? AND g.type = ? AND g.deleted_at IS NULL
ORDER BY {order} LIMIT ? OFFSET ?

-- count_groups_of_type --
SELECT count(*) FROM (
    SELECT 1 FROM chat_groups WHERE app = ? AND type = ? AND deleted_at IS NULL LIMIT ?
) AS part1

-- list_groups_found --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at,
    v.scope, v.joined_at
FROM ({candidates}) AS found
JOIN chat_groups AS g ON g.group_key = found.group_key
LEFT JOIN members AS v ON v.group_key = g.group_key AND v."user" = ?
WHERE g.app = ? AND g.deleted_at IS NULL{where}
ORDER BY {order} LIMIT ? OFFSET ?

-- count_groups_found --
SELECT count(*)
FROM ({candidates}) AS found
JOIN chat_groups AS g ON g.group_key = found.group_key
LEFT JOIN members AS v ON v.group_key = g.group_key AND v."user" = ?
WHERE g.app = ? AND g.deleted_at IS NULL{where}

-- of_member --
SELECT group_key FROM members WHERE "user" = ? LIMIT ?

-- of_tag --
SELECT DISTINCT group_key FROM (
    SELECT group_key FROM group_tags
    WHERE app = ? AND tag = ANY (?) LIMIT ?
) AS part1

-- of_guid --
SELECT group_key FROM chat_groups
WHERE app = ? AND guid >= ? AND guid < ? AND deleted_at IS NULL ORDER BY guid LIMIT ?

-- of_name --
SELECT group_key FROM chat_groups
WHERE app = ? AND name_folded >= ? AND name_folded < ? AND deleted_at IS NULL
ORDER BY name_folded LIMIT ?

-- of_guid_or_name --
SELECT group_key FROM (
    SELECT group_key FROM chat_groups
    WHERE app = ? AND guid >= ? AND guid < ? AND deleted_at IS NULL ORDER BY guid LIMIT ?
) AS part1
UNION
SELECT group_key FROM (
    SELECT group_key FROM chat_groups
    WHERE app = ? AND name_folded >= ? AND name_folded < ? AND deleted_at IS NULL
    ORDER BY name_folded LIMIT ?
) AS part2

-- of_type --
SELECT group_key FROM chat_groups
WHERE app = ? AND type = ANY (?) AND deleted_at IS NULL LIMIT ?

-- of_change --
SELECT group_key FROM chat_groups
WHERE app = ? AND deleted_at IS NULL AND coalesce(updated_at, created_at) > ?
    AND coalesce(updated_at, created_at) < ?
ORDER BY coalesce(updated_at, created_at) {direction}, group_key {direction} LIMIT ?

-- of_visible --
SELECT group_key FROM (
    SELECT group_key FROM chat_groups
    WHERE app = ? AND type IN ('password', 'public') AND deleted_at IS NULL LIMIT ?
) AS part1
UNION
SELECT group_key FROM (SELECT group_key FROM members WHERE "user" = ? LIMIT ?) AS part2

-- where_guid_begins --
(g.guid >= ? AND g.guid < ?)

-- where_name_begins --
(g.name_folded >= ? AND g.name_folded < ?)

-- where_guid_or_name_begins --
(g.guid >= ? AND g.guid < ? OR g.name_folded >= ? AND g.name_folded < ?)

-- where_type --
g.type = ANY (?)

-- where_tag --
EXISTS (
    SELECT 1 FROM json_array_elements_text(g.tags::json) AS own (tag) WHERE own.tag = ANY (?)
)

-- where_changed --
coalesce(g.updated_at, g.created_at) > ? AND coalesce(g.updated_at, g.created_at) < ?

-- where_visible --
(g.type <> 'private' OR v.scope IS NOT NULL)

-- members --
SELECT "user", scope, joined_at FROM members
WHERE group_key = ? AND "user" = ANY (?)

-- add_member --
INSERT INTO members (group_key, "user", scope, joined_at)
SELECT ?::bigint, * FROM unnest(?::bigint[], ?::text[], ?::bigint[])

-- remove_member --
DELETE FROM members WHERE group_key = ? AND "user" = ?

-- set_scope --
UPDATE members SET scope = ? WHERE group_key = ? AND "user" = ?

-- memberships --
SELECT count(*) FROM (SELECT 1 FROM members WHERE "user" = ? LIMIT ?) AS part1

-- live_memberships --
SELECT count(*) FROM (
    SELECT 1 FROM members AS m JOIN chat_groups AS g ON g.group_key = m.group_key
    WHERE m."user" = ? AND g.deleted_at IS NULL LIMIT ?
) AS part1

-- list_members --
SELECT u."user", u.uid, u.name, u.avatar, u.link, u.role, u.status_message, u.metadata,
    u.private_metadata, u.tags, u.created_at, u.updated_at, u.deactivated_at, u.built_in,
    m.scope, m.joined_at
FROM (
    SELECT "user", scope, joined_at FROM members WHERE group_key = ? ORDER BY "user" LIMIT ? OFFSET ?
) AS m JOIN users AS u ON u."user" = m."user"
ORDER BY m."user"

-- list_members_of_scopes --
SELECT u."user", u.uid, u.name, u.avatar, u.link, u.role, u.status_message, u.metadata,
    u.private_metadata, u.tags, u.created_at, u.updated_at, u.deactivated_at, u.built_in,
    m.scope, m.joined_at
FROM (
    SELECT "user", scope, joined_at FROM members
    WHERE group_key = ? AND scope = ANY (?)
    ORDER BY "user" LIMIT ? OFFSET ?
) AS m JOIN users AS u ON u."user" = m."user"
ORDER BY m."user"

-- count_members --
SELECT members_count FROM chat_groups WHERE group_key = ?

-- count_members_of_scopes --
SELECT count(*) FROM members
WHERE group_key = ? AND scope = ANY (?)
