-- schema --
CREATE TABLE IF NOT EXISTS reads (
    reader TEXT NOT NULL,
    conversation TEXT NOT NULL,
    up_to INTEGER NOT NULL,
    PRIMARY KEY (reader, conversation)
) WITHOUT ROWID;

-- read --
INSERT INTO reads (reader, conversation, up_to) VALUES (?, ?, ?)
ON CONFLICT (reader, conversation) DO UPDATE SET up_to = max(reads.up_to, excluded.up_to);

-- up_to --
SELECT up_to FROM reads WHERE reader = ? AND conversation = ?;
