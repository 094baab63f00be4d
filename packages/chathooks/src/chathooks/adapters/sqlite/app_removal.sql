-- add_app_removal --
INSERT INTO app_removals (app, begins_at, feed_position, feed_until) VALUES (?, ?, -1, 0)

-- next_app_removal --
SELECT app, begins_at, feed_position, feed_until FROM app_removals INDEXED BY app_removals_waiting
WHERE done = 0 AND begins_at <= ? ORDER BY app LIMIT 1

-- begin_feed_removal --
UPDATE app_removals SET
    feed_position = COALESCE((SELECT position - 1 FROM feed ORDER BY position LIMIT 1), 0),
    feed_until = COALESCE((SELECT position FROM feed ORDER BY position DESC LIMIT 1), 0)
WHERE app = ?

-- lane_at_work --
SELECT 1 FROM webhooks w JOIN lanes l ON l.lane = w.lane JOIN progress p ON p.lane = w.lane
WHERE w.app = ? AND (l.enabled OR p.cursor < l.next_number OR p.head < p.cursor
    OR EXISTS (SELECT 1 FROM deliveries d INDEXED BY deliveries_due
        WHERE d.lane = l.lane AND d.due_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM deliveries d INDEXED BY deliveries_ordered
        WHERE d.lane = l.lane AND d.ordered_stream IS NOT NULL)
    OR EXISTS (SELECT 1 FROM sweeps s WHERE s.lane = l.lane))
LIMIT 1

-- remove_feed --
DELETE FROM feed WHERE position > ? AND position <= ? AND app = ?

-- removed_feed --
UPDATE app_removals SET feed_position = ? WHERE app = ?

-- replays --
DELETE FROM replays WHERE replay IN (
    SELECT r.replay FROM webhooks w CROSS JOIN replays r ON r.lane = w.lane WHERE w.app = ? LIMIT ?)

-- attempts --
DELETE FROM attempts WHERE (lane, number, attempt) IN (
    SELECT a.lane, a.number, a.attempt FROM webhooks w CROSS JOIN attempts a ON a.lane = w.lane
    WHERE w.app = ? LIMIT ?)

-- deliveries --
DELETE FROM deliveries WHERE (lane, number) IN (
    SELECT d.lane, d.number FROM webhooks w CROSS JOIN deliveries d ON d.lane = w.lane
    WHERE w.app = ? LIMIT ?)

-- webhook_triggers --
DELETE FROM webhook_triggers WHERE (lane, trigger_number) IN (
    SELECT t.lane, t.trigger_number FROM webhooks w CROSS JOIN webhook_triggers t ON t.lane = w.lane
    WHERE w.app = ? LIMIT ?)

-- progress --
DELETE FROM progress WHERE lane IN (
    SELECT p.lane FROM webhooks w CROSS JOIN progress p ON p.lane = w.lane WHERE w.app = ? LIMIT ?)

-- lanes --
DELETE FROM lanes WHERE lane IN (
    SELECT l.lane FROM webhooks w CROSS JOIN lanes l ON l.lane = w.lane WHERE w.app = ? LIMIT ?)

-- webhooks --
DELETE FROM webhooks WHERE lane IN (SELECT lane FROM webhooks WHERE app = ? LIMIT ?)

-- streams --
DELETE FROM streams WHERE stream IN (SELECT stream FROM streams WHERE app = ? LIMIT ?)

-- messages --
DELETE FROM messages WHERE message IN (
    SELECT message FROM messages INDEXED BY messages_of_app WHERE app = ? ORDER BY message DESC LIMIT ?)

-- group_tags --
DELETE FROM group_tags WHERE (app, tag, group_key) IN (
    SELECT app, tag, group_key FROM group_tags WHERE app = ? LIMIT ?)

-- close_groups --
UPDATE chat_groups SET deleted_at = 0 WHERE group_key IN (
    SELECT group_key FROM chat_groups INDEXED BY chat_groups_by_age
    WHERE app = ? AND deleted_at IS NULL LIMIT ?)

-- group_left --
SELECT 1 FROM chat_groups g INDEXED BY chat_groups_deleted WHERE deleted_at IS NOT NULL AND app = ? LIMIT 1

-- user_tags --
DELETE FROM user_tags WHERE (app, tag, user) IN (
    SELECT app, tag, user FROM user_tags WHERE app = ? LIMIT ?)

-- first_users --
SELECT user FROM users WHERE app = ? LIMIT ?

-- auth_tokens_of --
DELETE FROM auth_tokens WHERE digest IN (
    SELECT t.digest FROM json_each(?) u CROSS JOIN auth_tokens t INDEXED BY auth_tokens_of_user
        ON t.user = u.value LIMIT ?)

-- memberships_of --
DELETE FROM members WHERE (group_key, user) IN (
    SELECT m.group_key, m.user FROM json_each(?) u CROSS JOIN members m INDEXED BY members_of_user
        ON m.user = u.value LIMIT ?)

-- blocks_by --
DELETE FROM blocks WHERE (user, blocked) IN (
    SELECT b.user, b.blocked FROM json_each(?) u CROSS JOIN blocks b ON b.user = u.value LIMIT ?)

-- departures_of --
DELETE FROM departures WHERE user IN (SELECT value FROM json_each(?) LIMIT ?)

-- users_of --
DELETE FROM users WHERE user IN (SELECT value FROM json_each(?) LIMIT ?)

-- settings --
DELETE FROM app_settings WHERE (app, name) IN (
    SELECT app, name FROM app_settings WHERE app = ? LIMIT ?)

-- counters --
DELETE FROM chat_counters WHERE (app, name) IN (
    SELECT app, name FROM chat_counters WHERE app = ? LIMIT ?)

-- user_ranges --
DELETE FROM user_ranges WHERE (app, first) IN (
    SELECT app, first FROM user_ranges WHERE app = ? LIMIT ?)

-- group_ranges --
DELETE FROM group_ranges WHERE (app, sort, first, first_guid) IN (
    SELECT app, sort, first, first_guid FROM group_ranges WHERE app = ? LIMIT ?)

-- forget_app --
UPDATE apps SET id = 'deleted~' || app, name = '', region = '' WHERE app = ?

-- end_app_removal --
UPDATE app_removals SET done = 1 WHERE app = ?
