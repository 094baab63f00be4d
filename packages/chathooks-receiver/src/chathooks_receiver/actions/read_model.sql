-- schema --
CREATE TABLE IF NOT EXISTS users (
    uid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    avatar TEXT,
    role TEXT,
    seen_at_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    guid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    owner TEXT,
    members_count INTEGER,
    updated_at_s INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    receiver TEXT NOT NULL,
    receiver_type TEXT NOT NULL,
    type TEXT NOT NULL,
    text TEXT,
    sent_at_s INTEGER NOT NULL,
    changed_at_s INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_of_conversation ON messages (conversation_id, sent_at_s);

-- user --
INSERT INTO users (uid, name, avatar, role, seen_at_s) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (uid) DO UPDATE SET
    name = excluded.name, avatar = excluded.avatar, role = excluded.role, seen_at_s = excluded.seen_at_s
WHERE excluded.seen_at_s >= users.seen_at_s;

-- group --
INSERT INTO groups (guid, name, type, owner, members_count, updated_at_s, deleted) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (guid) DO UPDATE SET
    name = excluded.name, type = excluded.type, owner = coalesce(excluded.owner, groups.owner),
    members_count = coalesce(excluded.members_count, groups.members_count),
    updated_at_s = excluded.updated_at_s, deleted = excluded.deleted
WHERE excluded.updated_at_s >= groups.updated_at_s;

-- message --
INSERT INTO messages
    (id, conversation_id, sender, receiver, receiver_type, type, text, sent_at_s, changed_at_s, deleted)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    text = excluded.text, changed_at_s = excluded.changed_at_s, deleted = excluded.deleted,
    sent_at_s = CASE WHEN excluded.sent_at_s > 0 THEN excluded.sent_at_s ELSE messages.sent_at_s END
WHERE NOT messages.deleted AND excluded.changed_at_s >= messages.changed_at_s;
