-- What fan-out writes of a lane and what its engine writes of it stand apart, since on PostgreSQL these may be two
-- processes: neither waits for the other's row.
CREATE TABLE progress (
    lane INTEGER PRIMARY KEY,
    cursor INTEGER NOT NULL,               -- deliveries from here on were never claimed
    head INTEGER NOT NULL,                 -- every first attempt below it has ended
    waiting INTEGER NOT NULL,              -- deliveries that wait, of the first `seen` ones made to wait
    seen INTEGER NOT NULL
);
INSERT INTO progress (lane, cursor, head, waiting, seen) SELECT lane, cursor, head, 0, 0 FROM lanes;

ALTER TABLE lanes ADD COLUMN share INTEGER NOT NULL DEFAULT 0;     -- which engine has it: chathooks.delivery.shares
ALTER TABLE lanes ADD COLUMN created INTEGER NOT NULL DEFAULT 0;   -- deliveries that were ever made to wait
ALTER TABLE lanes ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;     -- feed position at which fan-out last changed it
UPDATE lanes SET share = lane % 64 + 1;
ALTER TABLE lanes DROP COLUMN cursor;
ALTER TABLE lanes DROP COLUMN head;
