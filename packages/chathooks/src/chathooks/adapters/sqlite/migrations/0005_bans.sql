CREATE TABLE bans (
    group_key INTEGER NOT NULL,
    user INTEGER NOT NULL,
    scope TEXT NOT NULL,                   -- what the user was in the group
    banned_at INTEGER NOT NULL,            -- unix seconds
    PRIMARY KEY (group_key, user)
) WITHOUT ROWID;
