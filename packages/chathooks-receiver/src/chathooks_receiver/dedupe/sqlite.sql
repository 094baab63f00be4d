-- schema --
CREATE TABLE IF NOT EXISTS confirmed (
    number INTEGER PRIMARY KEY,
    digests BLOB NOT NULL  -- of one commit, 32 bytes each
);

-- append --
INSERT INTO confirmed (digests) VALUES (?);

-- newest_first --
SELECT number, digests FROM confirmed ORDER BY number DESC;

-- forget --
DELETE FROM confirmed WHERE number <= ?;
