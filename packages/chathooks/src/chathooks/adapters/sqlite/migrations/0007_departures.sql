-- Users who were deactivated or deleted and whose memberships wait to be ended.
CREATE TABLE departures (
    user INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    erase INTEGER NOT NULL                 -- 1: the user is deleted for good once the memberships have ended
);

-- A user who is deleted for good is counted no more; the row stays for the messages that name it.
CREATE TRIGGER users_erased AFTER UPDATE OF built_in ON users
WHEN OLD.built_in = 0 AND NEW.built_in <> 0 BEGIN
    UPDATE chat_counters SET value = value - 1
    WHERE app = NEW.app AND name = iif(NEW.deactivated_at IS NULL, 'users', 'users_deactivated');
END;
