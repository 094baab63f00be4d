-- Users who were deactivated or deleted and whose memberships wait to be ended.
CREATE TABLE departures (
    "user" BIGINT PRIMARY KEY,
    app BIGINT NOT NULL,
    erase BIGINT NOT NULL                 -- 1: the user is deleted for good once the memberships have ended
);

-- A user who is deleted for good is counted no more; the row stays for the messages that name it.
CREATE FUNCTION users_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE chat_counters SET value = value - 1
    WHERE app = NEW.app
        AND name = CASE WHEN NEW.deactivated_at IS NULL THEN 'users' ELSE 'users_deactivated' END;
    RETURN NULL;
END $$;
CREATE TRIGGER users_erased AFTER UPDATE OF built_in ON users FOR EACH ROW
WHEN (OLD.built_in = 0 AND NEW.built_in <> 0)
EXECUTE FUNCTION users_erased();
