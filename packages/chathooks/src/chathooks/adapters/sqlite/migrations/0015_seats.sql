-- additive: tables of a cluster, of which a process alone knows nothing.
CREATE TABLE seats (
    seat INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,                      -- the node's, for people
    works INTEGER NOT NULL,                     -- 1: may have shares
    batch INTEGER NOT NULL,                     -- of its latest commit: tells after a lost connection whether it was made
    beat INTEGER NOT NULL                       -- grows while the node is well
);

CREATE TABLE shares (
    share INTEGER PRIMARY KEY,                  -- 0: fan-out and schedules; 1 to 64: lanes (chathooks.delivery.shares)
    seat INTEGER,                               -- who has it; NULL: nobody
    epoch INTEGER NOT NULL                      -- grows whenever it changes hands
);
WITH RECURSIVE every (share) AS (SELECT 0 UNION ALL SELECT share + 1 FROM every WHERE share < 64)
INSERT INTO shares (share, seat, epoch) SELECT share, NULL, 0 FROM every;
