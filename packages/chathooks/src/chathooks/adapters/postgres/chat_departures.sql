-- deactivate_user --
UPDATE users SET deactivated_at = ?, updated_at = ? WHERE "user" = ?

-- forget_tokens --
DELETE FROM auth_tokens WHERE "user" = ?

-- add_departure --
INSERT INTO departures ("user", app, erase) VALUES (?, ?, ?)
ON CONFLICT ("user") DO UPDATE SET erase = greatest(departures.erase, excluded.erase)

-- reactivate_user --
UPDATE users SET deactivated_at = NULL, updated_at = ? WHERE "user" = ?

-- stored_tags --
SELECT tags FROM users WHERE "user" = ?

-- forget_tags --
DELETE FROM user_tags
WHERE "user" = ? AND app = ? AND tag IN (SELECT value FROM json_array_elements_text(?::json))

-- erase_user --
UPDATE users SET uid = 'deleted~' || "user", name = 'Deleted user', name_folded = '', avatar = NULL,
    link = NULL, role = 'default', status_message = NULL, metadata = NULL, private_metadata = NULL,
    tags = NULL, built_in = ?
WHERE "user" = ?

-- departure --
SELECT app, erase FROM departures WHERE "user" = ?

-- next_departure --
SELECT "user" FROM departures ORDER BY "user" LIMIT 1

-- end_departure --
DELETE FROM departures WHERE "user" = ?

-- memberships --
SELECT g.group_key, g.guid, g.name, g.type, g.description, g.icon, g.password_hash, g.owner,
    g.metadata, g.tags, g.members_count, g.created_at, g.updated_at, g.updated_by, g.deleted_at,
    m.scope, m.joined_at
FROM members AS m JOIN chat_groups AS g ON g.group_key = m.group_key
WHERE m."user" = ? AND g.deleted_at IS NULL ORDER BY m.group_key LIMIT ?
