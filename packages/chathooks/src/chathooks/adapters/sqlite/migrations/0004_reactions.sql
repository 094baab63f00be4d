CREATE TABLE reactions (
    reaction_key INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,
    user INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    reacted_at INTEGER NOT NULL            -- unix seconds
);
CREATE UNIQUE INDEX reactions_of_user ON reactions (message, user, reaction);
CREATE INDEX reactions_of_message ON reactions (message, reaction_key);
CREATE INDEX reactions_alike ON reactions (message, reaction, reaction_key);

-- How many of each reaction a message has, so that no view of it counts them.
CREATE TABLE reaction_counts (
    message INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,                -- key of the first one: the order in which they are shown
    PRIMARY KEY (message, reaction)
) WITHOUT ROWID;

CREATE TRIGGER reactions_counted AFTER INSERT ON reactions BEGIN
    INSERT INTO reaction_counts (message, reaction, number, first)
    VALUES (NEW.message, NEW.reaction, 1, NEW.reaction_key)
    ON CONFLICT (message, reaction) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER reactions_uncounted AFTER DELETE ON reactions BEGIN
    UPDATE reaction_counts SET number = number - 1
    WHERE message = OLD.message AND reaction = OLD.reaction;
    DELETE FROM reaction_counts
    WHERE message = OLD.message AND reaction = OLD.reaction AND number = 0;
END;

-- Messages that are gone for good while their reactions wait to be purged.
CREATE TABLE messages_gone (message INTEGER PRIMARY KEY);
CREATE TRIGGER messages_leave_reactions AFTER DELETE ON messages
WHEN EXISTS (SELECT 1 FROM reaction_counts WHERE message = OLD.message) BEGIN
    INSERT INTO messages_gone (message) VALUES (OLD.message);
END;
