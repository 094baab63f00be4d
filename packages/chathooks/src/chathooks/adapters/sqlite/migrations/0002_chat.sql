-- Users --------------------------------------------------------------------------------------------------

CREATE TABLE users (
    user INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL REFERENCES apps,
    uid TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,             -- case-folded, for searches
    avatar TEXT,
    link TEXT,
    role TEXT NOT NULL,
    status_message TEXT,
    metadata TEXT,                         -- JSON object without @private
    private_metadata TEXT,                 -- JSON object: what stood under @private
    tags TEXT,                             -- JSON array
    created_at INTEGER NOT NULL,           -- unix seconds
    updated_at INTEGER,
    deactivated_at INTEGER,
    built_in INTEGER NOT NULL DEFAULT 0,   -- 1: app_system
    UNIQUE (app, uid)
);
CREATE INDEX users_by_name ON users (app, name_folded);
CREATE INDEX users_by_role ON users (app, role, uid);
CREATE INDEX users_deactivated ON users (app, uid) WHERE deactivated_at IS NOT NULL;

CREATE TABLE user_tags (
    app INTEGER NOT NULL,
    tag TEXT NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (app, tag, user)
) WITHOUT ROWID;

CREATE TABLE auth_tokens (
    digest BLOB PRIMARY KEY,               -- SHA-256 of the token
    app INTEGER NOT NULL,
    user INTEGER NOT NULL,
    created_at INTEGER NOT NULL            -- unix seconds
) WITHOUT ROWID;
CREATE INDEX auth_tokens_of_user ON auth_tokens (user, created_at);

-- How many users and groups an app has, so that no list counts them.
CREATE TABLE chat_counters (
    app INTEGER NOT NULL,
    name TEXT NOT NULL,                    -- users | users_deactivated | groups
    value INTEGER NOT NULL,
    PRIMARY KEY (app, name)
) WITHOUT ROWID;

CREATE TRIGGER users_counted AFTER INSERT ON users WHEN NEW.built_in = 0 BEGIN
    INSERT INTO chat_counters (app, name, value)
    VALUES (NEW.app, iif(NEW.deactivated_at IS NULL, 'users', 'users_deactivated'), 1)
    ON CONFLICT (app, name) DO UPDATE SET value = value + 1;
END;
CREATE TRIGGER users_uncounted AFTER DELETE ON users WHEN OLD.built_in = 0 BEGIN
    UPDATE chat_counters SET value = value - 1
    WHERE app = OLD.app AND name = iif(OLD.deactivated_at IS NULL, 'users', 'users_deactivated');
END;
CREATE TRIGGER users_recounted AFTER UPDATE OF deactivated_at ON users
WHEN (OLD.deactivated_at IS NULL) <> (NEW.deactivated_at IS NULL) BEGIN
    UPDATE chat_counters SET value = value - 1
    WHERE app = OLD.app AND name = iif(OLD.deactivated_at IS NULL, 'users', 'users_deactivated');
    INSERT INTO chat_counters (app, name, value)
    VALUES (NEW.app, iif(NEW.deactivated_at IS NULL, 'users', 'users_deactivated'), 1)
    ON CONFLICT (app, name) DO UPDATE SET value = value + 1;
END;

-- Every app has the built-in user from its start on.
CREATE TRIGGER apps_have_system_user AFTER INSERT ON apps BEGIN
    INSERT INTO users (app, uid, name, name_folded, role, created_at, built_in)
    VALUES (NEW.app, 'app_system', 'System', 'system', 'default', NEW.created_at, 1);
END;
INSERT INTO users (app, uid, name, name_folded, role, created_at, built_in)
SELECT app, 'app_system', 'System', 'system', 'default', created_at, 1 FROM apps;

-- Groups -------------------------------------------------------------------------------------------------

CREATE TABLE chat_groups (
    group_key INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL REFERENCES apps,
    guid TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    type TEXT NOT NULL,                    -- public | private | password
    description TEXT,
    icon TEXT,
    password_hash BLOB,                    -- salt and scrypt hash
    owner TEXT NOT NULL,                   -- uid
    metadata TEXT,
    tags TEXT,
    members_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,           -- unix seconds
    updated_at INTEGER,
    updated_by TEXT,
    deleted_at INTEGER                     -- set: does not exist any more, its rows wait to be purged
);
CREATE UNIQUE INDEX chat_groups_by_guid ON chat_groups (app, guid) WHERE deleted_at IS NULL;
CREATE INDEX chat_groups_by_name ON chat_groups (app, name_folded, guid) WHERE deleted_at IS NULL;
CREATE INDEX chat_groups_by_age ON chat_groups (app, group_key) WHERE deleted_at IS NULL;
CREATE INDEX chat_groups_deleted ON chat_groups (group_key) WHERE deleted_at IS NOT NULL;

CREATE TABLE group_tags (
    app INTEGER NOT NULL,
    tag TEXT NOT NULL,
    group_key INTEGER NOT NULL,
    PRIMARY KEY (app, tag, group_key)
) WITHOUT ROWID;

CREATE TABLE members (
    group_key INTEGER NOT NULL,
    user INTEGER NOT NULL,
    scope TEXT NOT NULL,                   -- admin | moderator | participant
    joined_at INTEGER NOT NULL,            -- unix seconds
    PRIMARY KEY (group_key, user)
) WITHOUT ROWID;
CREATE INDEX members_of_user ON members (user, group_key);
CREATE INDEX members_by_scope ON members (group_key, scope, user);

CREATE TRIGGER groups_counted AFTER INSERT ON chat_groups BEGIN
    INSERT INTO chat_counters (app, name, value) VALUES (NEW.app, 'groups', 1)
    ON CONFLICT (app, name) DO UPDATE SET value = value + 1;
END;
CREATE TRIGGER groups_uncounted AFTER UPDATE OF deleted_at ON chat_groups
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE chat_counters SET value = value - 1 WHERE app = NEW.app AND name = 'groups';
END;

-- Messages -----------------------------------------------------------------------------------------------

CREATE TABLE messages (
    message INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL,
    muid TEXT,
    sender INTEGER NOT NULL,               -- key of a user
    receiver_user INTEGER,                 -- key of a user, or
    group_key INTEGER,                     -- of a group
    category TEXT NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,                 -- JSON of `data`
    tags TEXT,
    sent_at INTEGER NOT NULL,              -- unix seconds
    updated_at INTEGER NOT NULL,
    edited_at INTEGER,
    edited_by TEXT,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX messages_of_app ON messages (app, message);
CREATE INDEX messages_of_sender ON messages (sender, message);
CREATE INDEX messages_to_user ON messages (receiver_user, message) WHERE receiver_user IS NOT NULL;
CREATE INDEX messages_of_pair
ON messages (min(sender, receiver_user), max(sender, receiver_user), message) WHERE receiver_user IS NOT NULL;
CREATE INDEX messages_of_group ON messages (group_key, message) WHERE group_key IS NOT NULL;
