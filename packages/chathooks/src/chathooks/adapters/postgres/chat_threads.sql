-- follow --
INSERT INTO thread_subscriptions ("user", message, subscribed) VALUES (?, ?, 1)
ON CONFLICT ("user", message) DO UPDATE SET subscribed = 1

-- follow_unless_left --
INSERT INTO thread_subscriptions ("user", message, subscribed) VALUES (?, ?, 1)
ON CONFLICT ("user", message) DO NOTHING

-- leave --
INSERT INTO thread_subscriptions ("user", message, subscribed) VALUES (?, ?, 0)
ON CONFLICT ("user", message) DO UPDATE SET subscribed = 0

-- followed --
SELECT message, subscribed FROM thread_subscriptions
WHERE "user" = ? AND message = ANY (?)

-- list_threads --
SELECT * FROM (
    SELECT m.message, m.muid, m.sender, m.receiver_user, m.group_key, m.category, m.type, m.content,
        m.tags, m.sent_at, m.updated_at, m.edited_at, m.edited_by, m.deleted_at, m.deleted_by,
        m.parent, m.reply_count,
        greatest(m.updated_at, coalesce((
            SELECT r.sent_at FROM messages AS r WHERE r.parent = m.message
            ORDER BY r.message DESC LIMIT 1
        ), 0)) AS changed_at
    FROM (
        SELECT message FROM thread_subscriptions WHERE "user" = ? AND subscribed = 1
        ORDER BY message DESC LIMIT ?
    ) AS s JOIN messages AS m ON m.message = s.message
    WHERE m.group_key IS NULL
        OR EXISTS (SELECT 1 FROM members AS own WHERE own.group_key = m.group_key AND own."user" = ?)
) AS part1
WHERE (changed_at, message) < (?, ?) ORDER BY changed_at DESC, message DESC LIMIT ?

-- last_replies --
SELECT message, muid, sender, receiver_user, group_key, category, type, content, tags,
    sent_at, updated_at, edited_at, edited_by, deleted_at, deleted_by, parent, reply_count
FROM messages WHERE message IN (
    SELECT (SELECT max(r.message) FROM messages AS r WHERE r.parent = wanted.value)
    FROM unnest(?::bigint[]) AS wanted (value)
)
