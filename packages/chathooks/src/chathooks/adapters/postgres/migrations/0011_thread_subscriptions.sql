-- Who follows which thread, and who has left one: a row says it, without one nobody but the parent's sender does.
CREATE TABLE thread_subscriptions (
    "user" BIGINT NOT NULL,
    message BIGINT NOT NULL,               -- the parent
    subscribed BIGINT NOT NULL,            -- 0: left
    PRIMARY KEY ("user", message)
);
CREATE INDEX thread_subscriptions_of_message ON thread_subscriptions (message);

DROP TRIGGER messages_leave_reactions ON messages;
DROP FUNCTION messages_leave_reactions();
CREATE FUNCTION messages_leave_traces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM reaction_counts WHERE message = OLD.message)
        OR EXISTS (SELECT 1 FROM thread_subscriptions WHERE message = OLD.message) THEN
        INSERT INTO messages_gone (message) VALUES (OLD.message);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER messages_leave_traces AFTER DELETE ON messages FOR EACH ROW
EXECUTE FUNCTION messages_leave_traces();
