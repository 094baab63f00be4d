ALTER TABLE messages ADD COLUMN parent BIGINT;
ALTER TABLE messages ADD COLUMN reply_count BIGINT NOT NULL DEFAULT 0;
CREATE INDEX messages_of_thread ON messages (parent, message) WHERE parent IS NOT NULL;

CREATE FUNCTION replies_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET reply_count = reply_count + 1 WHERE message = NEW.parent;
    RETURN NULL;
END $$;
CREATE TRIGGER replies_counted AFTER INSERT ON messages FOR EACH ROW
WHEN (NEW.parent IS NOT NULL)
EXECUTE FUNCTION replies_counted();
CREATE FUNCTION replies_uncounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET reply_count = reply_count - 1 WHERE message = OLD.parent;
    RETURN NULL;
END $$;
CREATE TRIGGER replies_uncounted AFTER DELETE ON messages FOR EACH ROW
WHEN (OLD.parent IS NOT NULL)
EXECUTE FUNCTION replies_uncounted();
