CREATE TABLE blocks (
    user INTEGER NOT NULL,                 -- who blocks
    blocked INTEGER NOT NULL,              -- whom
    blocked_at INTEGER NOT NULL,           -- unix seconds
    PRIMARY KEY (user, blocked)
) WITHOUT ROWID;
CREATE INDEX blocks_of_blocked ON blocks (blocked, user, blocked_at);
