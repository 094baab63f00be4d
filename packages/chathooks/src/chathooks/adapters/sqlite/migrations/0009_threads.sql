ALTER TABLE messages ADD COLUMN parent INTEGER;
ALTER TABLE messages ADD COLUMN reply_count INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_of_thread ON messages (parent, message) WHERE parent IS NOT NULL;

CREATE TRIGGER replies_counted AFTER INSERT ON messages WHEN NEW.parent IS NOT NULL BEGIN
    UPDATE messages SET reply_count = reply_count + 1 WHERE message = NEW.parent;
END;
CREATE TRIGGER replies_uncounted AFTER DELETE ON messages WHEN OLD.parent IS NOT NULL BEGIN
    UPDATE messages SET reply_count = reply_count - 1 WHERE message = OLD.parent;
END;
