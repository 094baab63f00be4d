-- add_block --
INSERT INTO blocks ("user", blocked, blocked_at) VALUES (?, ?, ?)
ON CONFLICT ("user", blocked) DO NOTHING

-- remove_block --
DELETE FROM blocks WHERE "user" = ? AND blocked = ?

-- relations --
SELECT blocked, blocked_at, NULL FROM blocks
WHERE "user" = ? AND blocked = ANY (?)
UNION ALL
SELECT "user", NULL, blocked_at FROM blocks
WHERE blocked = ? AND "user" = ANY (?)

-- blocker --
SELECT "user" FROM blocks WHERE "user" = ? AND blocked = ?
UNION ALL
SELECT "user" FROM blocks WHERE "user" = ? AND blocked = ?

-- list_blocks --
SELECT u."user", u.uid, u.name, u.avatar, u.link, u.role, u.status_message, u.metadata,
    u.private_metadata, u.tags, u.created_at, u.updated_at, u.deactivated_at, u.built_in,
    b.blocked_at
FROM (SELECT blocked, blocked_at FROM blocks WHERE "user" = ? ORDER BY blocked LIMIT ?) AS b
JOIN users AS u ON u."user" = b.blocked
WHERE u.deactivated_at IS NULL{where} ORDER BY b.blocked LIMIT ? OFFSET ?

-- count_blocks --
SELECT count(*) FROM (SELECT blocked FROM blocks WHERE "user" = ? ORDER BY blocked LIMIT ?) AS b
JOIN users AS u ON u."user" = b.blocked
WHERE u.deactivated_at IS NULL{where}

-- where_begins --
((u.uid >= ? AND u.uid < ?) OR (u.name_folded >= ? AND u.name_folded < ?))
