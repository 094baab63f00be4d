-- bans --
SELECT "user", scope, banned_at FROM bans
WHERE group_key = ? AND "user" = ANY (?)

-- add_ban --
INSERT INTO bans (group_key, "user", scope, banned_at)
SELECT ?::bigint, * FROM unnest(?::bigint[], ?::text[], ?::bigint[])

-- remove_ban --
DELETE FROM bans WHERE group_key = ? AND "user" = ?

-- list_bans --
SELECT u."user", u.uid, u.name, u.avatar, u.link, u.role, u.status_message, u.metadata,
    u.private_metadata, u.tags, u.created_at, u.updated_at, u.deactivated_at, u.built_in,
    b.scope, b.banned_at
FROM (SELECT "user", scope, banned_at FROM bans WHERE group_key = ? ORDER BY "user" LIMIT ?) AS b
JOIN users AS u ON u."user" = b."user"
WHERE u.built_in = 0 ORDER BY b."user" LIMIT ? OFFSET ?

-- count_bans --
SELECT count(*) FROM (SELECT 1 FROM bans WHERE group_key = ? LIMIT ?) AS part1
