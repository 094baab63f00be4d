CREATE TABLE bans (
    group_key BIGINT NOT NULL,
    "user" BIGINT NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,                   -- what the user was in the group
    banned_at BIGINT NOT NULL,            -- unix seconds
    PRIMARY KEY (group_key, "user")
);
