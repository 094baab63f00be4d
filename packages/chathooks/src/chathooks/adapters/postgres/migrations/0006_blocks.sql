CREATE TABLE blocks (
    "user" BIGINT NOT NULL,                 -- who blocks
    blocked BIGINT NOT NULL,              -- whom
    blocked_at BIGINT NOT NULL,           -- unix seconds
    PRIMARY KEY ("user", blocked)
);
CREATE INDEX blocks_of_blocked ON blocks (blocked, "user", blocked_at);
