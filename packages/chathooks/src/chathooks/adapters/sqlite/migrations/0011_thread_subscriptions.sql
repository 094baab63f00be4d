-- Who follows which thread, and who has left one: a row says it, without one nobody but the parent's sender does.
CREATE TABLE thread_subscriptions (
    user INTEGER NOT NULL,
    message INTEGER NOT NULL,              -- the parent
    subscribed INTEGER NOT NULL,           -- 0: left
    PRIMARY KEY (user, message)
) WITHOUT ROWID;
CREATE INDEX thread_subscriptions_of_message ON thread_subscriptions (message);

DROP TRIGGER messages_leave_reactions;
CREATE TRIGGER messages_leave_traces AFTER DELETE ON messages
WHEN EXISTS (SELECT 1 FROM reaction_counts WHERE message = OLD.message)
    OR EXISTS (SELECT 1 FROM thread_subscriptions WHERE message = OLD.message)
BEGIN
    INSERT INTO messages_gone (message) VALUES (OLD.message);
END;
