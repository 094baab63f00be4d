-- add_message --
INSERT INTO messages (app, muid, sender, receiver_user, group_key, category, type, content, tags,
    sent_at, updated_at, parent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- next_message_id --
UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'messages' RETURNING seq

-- message --
SELECT message, muid, sender, receiver_user, group_key, category, type, content, tags,
    sent_at, updated_at, edited_at, edited_by, deleted_at, deleted_by, parent, reply_count
FROM messages WHERE message = ? AND app = ?

-- update_message --
UPDATE messages SET content = ?, tags = ?, updated_at = ?, edited_at = ?, edited_by = ?,
    deleted_at = ?, deleted_by = ?
WHERE message = ?

-- delete_message --
DELETE FROM messages WHERE message = ?

-- list_messages --
SELECT message, muid, sender, receiver_user, group_key, category, type, content, tags,
    sent_at, updated_at, edited_at, edited_by, deleted_at, deleted_by, parent, reply_count
FROM messages AS m WHERE {place} AND {window}

-- window --
message > ? AND message < ?{where} ORDER BY message {direction} LIMIT ?

-- where_category --
category IN (SELECT value FROM json_each(?))

-- where_type --
type IN (SELECT value FROM json_each(?))

-- of_app --
app = ?

-- of_pair --
receiver_user IS NOT NULL AND min(sender, receiver_user) = ? AND max(sender, receiver_user) = ?

-- of_group --
group_key = ?

-- from_user --
sender = ?

-- to_user --
receiver_user = ?

-- of_groups_of_user --
message IN (
    SELECT inner_message.message
    FROM members AS membership CROSS JOIN messages AS inner_message
    WHERE membership.user = ? AND inner_message.message IN (
        SELECT m.message FROM messages AS m
        WHERE m.group_key = membership.group_key AND {window}
    )
)

-- newest_at_or_below --
SELECT message, sent_at FROM messages WHERE app = ? AND message <= ? ORDER BY message DESC LIMIT 1

-- of_thread --
parent = ?

-- horizon --
SELECT message, sent_at FROM messages WHERE {place} AND message > ? AND message < ?
ORDER BY message {direction} LIMIT 1 OFFSET ?

-- where_attached --
json_extract(content, '$.attachments[0]') IS NOT NULL

-- where_attached_type --
EXISTS (
    SELECT 1 FROM json_each(content, '$.attachments') AS file
    WHERE coalesce(
        (
            SELECT kind.value FROM json_each('["image","video","audio"]') AS kind
            WHERE instr(lower(json_extract(file.value, '$.mimeType')), kind.value || '/') = 1
        ),
        iif(
            json_extract(file.value, '$.mimeType') IS NULL AND m.type IN ('image', 'video', 'audio'),
            m.type, 'file'
        )
    ) IN (SELECT value FROM json_each(?))
)

-- where_linked --
(instr(lower(json_extract(content, '$.text')), 'https://') > 0
    OR instr(lower(json_extract(content, '$.text')), 'http://') > 0)

-- where_mentioning --
instr(json_extract(content, '$.text'), '<@uid:') > 0

-- where_mentioned --
EXISTS (
    SELECT 1 FROM json_each(?) AS wanted
    WHERE instr(lower(json_extract(content, '$.text')), '<@uid:' || wanted.value || '>') > 0
)

-- where_reacted --
EXISTS (SELECT 1 FROM reaction_counts AS r WHERE r.message = m.message)

-- where_text --
instr(lower(json_extract(content, '$.text')), ?) > 0

-- where_tagged --
EXISTS (
    SELECT 1 FROM json_each(tags) AS own WHERE own.value IN (SELECT value FROM json_each(?))
)

-- where_not_blocked --
sender NOT IN (SELECT blocked FROM blocks WHERE user = ?)
