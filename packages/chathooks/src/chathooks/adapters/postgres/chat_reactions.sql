-- add_reaction --
INSERT INTO reactions (message, "user", reaction, reacted_at) VALUES (?, ?, ?, ?)
ON CONFLICT (message, "user", reaction) DO NOTHING
RETURNING reaction_key

-- remove_reaction --
DELETE FROM reactions WHERE message = ? AND "user" = ? AND reaction = ?
RETURNING reaction_key, message, "user", reaction, reacted_at

-- kinds --
SELECT count(*) FROM reaction_counts WHERE message = ? AND reaction <> ?

-- counts --
SELECT message, reaction, number FROM reaction_counts
WHERE message = ANY (?) ORDER BY message, first

-- own --
SELECT message, reaction FROM reactions
WHERE message = ANY (?) AND "user" = ?

-- list_reactions --
SELECT reaction_key, message, "user", reaction, reacted_at FROM reactions
WHERE message = ? AND reaction_key > ? AND reaction_key < ?{where}
ORDER BY reaction_key {direction} LIMIT ?

-- where_reaction --
reaction = ?

-- message_gone --
SELECT message FROM messages_gone LIMIT 1

-- purge_reactions --
DELETE FROM reactions WHERE reaction_key IN (
    SELECT reaction_key FROM reactions WHERE message = ? LIMIT ?
)

-- purge_subscriptions --
DELETE FROM thread_subscriptions WHERE ("user", message) IN (
    SELECT "user", message FROM thread_subscriptions WHERE message = ? LIMIT ?
)

-- purge_message_gone --
DELETE FROM messages_gone WHERE message = ?
