-- add_message --
INSERT INTO messages (message, app, muid, sender, receiver_user, group_key, category, type, content, tags,
    sent_at, updated_at, parent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

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
category = ANY (?)

-- where_type --
type = ANY (?)

-- of_app --
app = ?

-- of_pair --
receiver_user IS NOT NULL AND least(sender, receiver_user) = ? AND greatest(sender, receiver_user) = ?

-- of_group --
group_key = ?

-- from_user --
sender = ?

-- to_user --
receiver_user = ?

-- of_groups_of_user --
message IN (
    SELECT found.message
    FROM members AS membership CROSS JOIN LATERAL (
        SELECT m.message FROM messages AS m
        WHERE m.group_key = membership.group_key AND {window}
    ) AS found
    WHERE membership."user" = ?
)

-- newest_at_or_below --
SELECT message, sent_at FROM messages WHERE app = ? AND message <= ? ORDER BY message DESC LIMIT 1

-- of_thread --
parent = ?

-- horizon --
SELECT message, sent_at FROM messages WHERE {place} AND message > ? AND message < ?
ORDER BY message {direction} LIMIT 1 OFFSET ?

-- where_attached --
(content::json #>> '{attachments,0}') IS NOT NULL

-- where_attached_type --
EXISTS (
    SELECT 1 FROM json_array_elements(
        CASE WHEN json_typeof(content::json -> 'attachments') = 'array'
            THEN content::json -> 'attachments' ELSE '[]'::json END
    ) AS file (value)
    WHERE coalesce(
        (
            SELECT kind FROM unnest(ARRAY['image', 'video', 'audio']) AS kind
            WHERE strpos(lower((file.value ->> 'mimeType') COLLATE "C"), kind || '/') = 1
        ),
        CASE WHEN file.value ->> 'mimeType' IS NULL AND m.type IN ('image', 'video', 'audio')
            THEN m.type ELSE 'file' END
    ) = ANY (?)
)

-- where_linked --
(strpos(lower((content::json ->> 'text') COLLATE "C"), 'https://') > 0
    OR strpos(lower((content::json ->> 'text') COLLATE "C"), 'http://') > 0)

-- where_mentioning --
strpos((content::json ->> 'text'), '<@uid:') > 0

-- where_mentioned --
EXISTS (
    SELECT 1 FROM unnest(?::text[]) AS wanted (uid)
    WHERE strpos(lower((content::json ->> 'text') COLLATE "C"), '<@uid:' || wanted.uid || '>') > 0
)

-- where_reacted --
EXISTS (SELECT 1 FROM reaction_counts AS r WHERE r.message = m.message)

-- where_text --
strpos(lower((content::json ->> 'text') COLLATE "C"), ?) > 0

-- where_tagged --
EXISTS (
    SELECT 1 FROM json_array_elements_text(tags::json) AS own (tag) WHERE own.tag = ANY (?)
)

-- where_not_blocked --
sender NOT IN (SELECT blocked FROM blocks WHERE "user" = ?)
