-- Counted ranges: how many users and groups stand in each stretch of a list, so that a page far inside it is found
-- by adding up a range per 1,024 to 2,048 rows instead of skipping the rows one by one. A range begins at `first` and
-- ends where the next one begins; the first range of every app begins before everything. One that has grown beyond
-- 2,048 rows is split in half; none is ever merged, since an empty one costs a line of a sum.

-- Users by uid -------------------------------------------------------------------------------------------

CREATE TABLE user_ranges (
    app INTEGER NOT NULL,
    first TEXT NOT NULL,                   -- uid
    active INTEGER NOT NULL,
    deactivated INTEGER NOT NULL,
    PRIMARY KEY (app, first)
) WITHOUT ROWID;

CREATE INDEX users_active ON users (app, uid) WHERE deactivated_at IS NULL AND built_in = 0;
DROP INDEX users_deactivated;
CREATE INDEX users_deactivated ON users (app, uid) WHERE deactivated_at IS NOT NULL AND built_in = 0;

INSERT INTO user_ranges (app, first, active, deactivated) SELECT app, '', 0, 0 FROM apps;
INSERT INTO user_ranges (app, first, active, deactivated)
SELECT app, iif(range = 0, '', min(uid)), sum(deactivated_at IS NULL), sum(deactivated_at IS NOT NULL)
FROM (
    SELECT app, uid, deactivated_at, (row_number() OVER (PARTITION BY app ORDER BY uid) - 1) / 1024 AS range
    FROM users WHERE built_in = 0
)
GROUP BY app, range
ON CONFLICT (app, first) DO UPDATE SET active = excluded.active, deactivated = excluded.deactivated;

CREATE TRIGGER users_enter_ranges AFTER INSERT ON users WHEN NEW.built_in = 0 BEGIN
    UPDATE user_ranges
    SET active = active + (NEW.deactivated_at IS NULL),
        deactivated = deactivated + (NEW.deactivated_at IS NOT NULL)
    WHERE app = NEW.app
        AND first = (SELECT max(first) FROM user_ranges WHERE app = NEW.app AND first <= NEW.uid);
END;
CREATE TRIGGER users_leave_ranges AFTER DELETE ON users WHEN OLD.built_in = 0 BEGIN
    UPDATE user_ranges
    SET active = active - (OLD.deactivated_at IS NULL),
        deactivated = deactivated - (OLD.deactivated_at IS NOT NULL)
    WHERE app = OLD.app
        AND first = (SELECT max(first) FROM user_ranges WHERE app = OLD.app AND first <= OLD.uid);
END;
-- Deactivated, activated again, or erased: `built_in` and uid change then.
CREATE TRIGGER users_move_in_ranges AFTER UPDATE OF uid, deactivated_at, built_in ON users BEGIN
    UPDATE user_ranges
    SET active = active - (OLD.deactivated_at IS NULL),
        deactivated = deactivated - (OLD.deactivated_at IS NOT NULL)
    WHERE OLD.built_in = 0 AND app = OLD.app
        AND first = (SELECT max(first) FROM user_ranges WHERE app = OLD.app AND first <= OLD.uid);
    UPDATE user_ranges
    SET active = active + (NEW.deactivated_at IS NULL),
        deactivated = deactivated + (NEW.deactivated_at IS NOT NULL)
    WHERE NEW.built_in = 0 AND app = NEW.app
        AND first = (SELECT max(first) FROM user_ranges WHERE app = NEW.app AND first <= NEW.uid);
END;
CREATE TRIGGER user_ranges_split AFTER UPDATE ON user_ranges
WHEN NEW.active + NEW.deactivated > 2048 BEGIN
    INSERT INTO user_ranges (app, first, active, deactivated)
    SELECT NEW.app, min(uid), sum(deactivated_at IS NULL), sum(deactivated_at IS NOT NULL)
    FROM (
        SELECT uid, deactivated_at FROM users
        WHERE app = NEW.app AND uid >= NEW.first AND built_in = 0
        ORDER BY uid LIMIT NEW.active + NEW.deactivated - 1024 OFFSET 1024
    );
    UPDATE user_ranges
    SET (active, deactivated) = (
        SELECT NEW.active - upper.active, NEW.deactivated - upper.deactivated FROM user_ranges AS upper
        WHERE upper.app = NEW.app AND upper.first > NEW.first ORDER BY upper.first LIMIT 1
    )
    WHERE app = NEW.app AND first = NEW.first;
END;

-- Groups by guid, by name, by age ------------------------------------------------------------------------

CREATE TABLE group_ranges (
    app INTEGER NOT NULL,
    sort TEXT NOT NULL,                    -- guid | name | createdAt
    first NOT NULL,                        -- guid, folded name, or key of a group: whatever the list is sorted by
    first_guid TEXT NOT NULL,              -- by name: the guid, which comes second; else empty
    number INTEGER NOT NULL,
    PRIMARY KEY (app, sort, first, first_guid)
) WITHOUT ROWID;

INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, column1, column2, '', 0
FROM apps CROSS JOIN (VALUES ('guid', ''), ('name', ''), ('createdAt', 0));
INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, 'guid', iif(range = 0, '', min(guid)), '', count(*)
FROM (
    SELECT app, guid, (row_number() OVER (PARTITION BY app ORDER BY guid) - 1) / 1024 AS range
    FROM chat_groups WHERE deleted_at IS NULL
)
GROUP BY app, range
ON CONFLICT (app, sort, first, first_guid) DO UPDATE SET number = excluded.number;
INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, 'name', iif(place = 0, '', name_folded), iif(place = 0, '', guid),
    min(1024, total - place)
FROM (
    SELECT app, name_folded, guid, count(*) OVER (PARTITION BY app) AS total,
        row_number() OVER (PARTITION BY app ORDER BY name_folded, guid) - 1 AS place
    FROM chat_groups WHERE deleted_at IS NULL
)
WHERE place % 1024 = 0
ON CONFLICT (app, sort, first, first_guid) DO UPDATE SET number = excluded.number;
INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, 'createdAt', iif(range = 0, 0, min(group_key)), '', count(*)
FROM (
    SELECT app, group_key, (row_number() OVER (PARTITION BY app ORDER BY group_key) - 1) / 1024 AS range
    FROM chat_groups WHERE deleted_at IS NULL
)
GROUP BY app, range
ON CONFLICT (app, sort, first, first_guid) DO UPDATE SET number = excluded.number;

CREATE TRIGGER groups_enter_ranges AFTER INSERT ON chat_groups WHEN NEW.deleted_at IS NULL BEGIN
    UPDATE group_ranges SET number = number + 1
    WHERE app = NEW.app AND sort = 'guid' AND first_guid = '' AND first = (
        SELECT max(first) FROM group_ranges WHERE app = NEW.app AND sort = 'guid' AND first <= NEW.guid
    );
    UPDATE group_ranges SET number = number + 1
    WHERE app = NEW.app AND sort = 'createdAt' AND first_guid = '' AND first = (
        SELECT max(first) FROM group_ranges
        WHERE app = NEW.app AND sort = 'createdAt' AND first <= NEW.group_key
    );
    UPDATE group_ranges SET number = number + 1
    WHERE app = NEW.app AND sort = 'name' AND (first, first_guid) = (
        SELECT first, first_guid FROM group_ranges
        WHERE app = NEW.app AND sort = 'name' AND (first, first_guid) <= (NEW.name_folded, NEW.guid)
        ORDER BY first DESC, first_guid DESC LIMIT 1
    );
END;
CREATE TRIGGER groups_leave_ranges AFTER UPDATE OF deleted_at ON chat_groups
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE group_ranges SET number = number - 1
    WHERE app = OLD.app AND sort = 'guid' AND first_guid = '' AND first = (
        SELECT max(first) FROM group_ranges WHERE app = OLD.app AND sort = 'guid' AND first <= OLD.guid
    );
    UPDATE group_ranges SET number = number - 1
    WHERE app = OLD.app AND sort = 'createdAt' AND first_guid = '' AND first = (
        SELECT max(first) FROM group_ranges
        WHERE app = OLD.app AND sort = 'createdAt' AND first <= OLD.group_key
    );
    UPDATE group_ranges SET number = number - 1
    WHERE app = OLD.app AND sort = 'name' AND (first, first_guid) = (
        SELECT first, first_guid FROM group_ranges
        WHERE app = OLD.app AND sort = 'name' AND (first, first_guid) <= (OLD.name_folded, OLD.guid)
        ORDER BY first DESC, first_guid DESC LIMIT 1
    );
END;
CREATE TRIGGER groups_move_in_ranges AFTER UPDATE OF name_folded ON chat_groups
WHEN OLD.name_folded <> NEW.name_folded AND OLD.deleted_at IS NULL AND NEW.deleted_at IS NULL BEGIN
    UPDATE group_ranges SET number = number - 1
    WHERE app = OLD.app AND sort = 'name' AND (first, first_guid) = (
        SELECT first, first_guid FROM group_ranges
        WHERE app = OLD.app AND sort = 'name' AND (first, first_guid) <= (OLD.name_folded, OLD.guid)
        ORDER BY first DESC, first_guid DESC LIMIT 1
    );
    UPDATE group_ranges SET number = number + 1
    WHERE app = NEW.app AND sort = 'name' AND (first, first_guid) = (
        SELECT first, first_guid FROM group_ranges
        WHERE app = NEW.app AND sort = 'name' AND (first, first_guid) <= (NEW.name_folded, NEW.guid)
        ORDER BY first DESC, first_guid DESC LIMIT 1
    );
END;
CREATE TRIGGER group_guid_ranges_split AFTER UPDATE ON group_ranges
WHEN NEW.sort = 'guid' AND NEW.number > 2048 BEGIN
    INSERT INTO group_ranges (app, sort, first, first_guid, number)
    SELECT NEW.app, 'guid', guid, '', NEW.number - 1024 FROM chat_groups
    WHERE app = NEW.app AND guid >= NEW.first AND deleted_at IS NULL ORDER BY guid LIMIT 1 OFFSET 1024;
    UPDATE group_ranges SET number = 1024
    WHERE app = NEW.app AND sort = 'guid' AND first = NEW.first AND first_guid = '';
END;
CREATE TRIGGER group_age_ranges_split AFTER UPDATE ON group_ranges
WHEN NEW.sort = 'createdAt' AND NEW.number > 2048 BEGIN
    INSERT INTO group_ranges (app, sort, first, first_guid, number)
    SELECT NEW.app, 'createdAt', group_key, '', NEW.number - 1024 FROM chat_groups
    WHERE app = NEW.app AND group_key >= NEW.first AND deleted_at IS NULL
    ORDER BY group_key LIMIT 1 OFFSET 1024;
    UPDATE group_ranges SET number = 1024
    WHERE app = NEW.app AND sort = 'createdAt' AND first = NEW.first AND first_guid = '';
END;
CREATE TRIGGER group_name_ranges_split AFTER UPDATE ON group_ranges
WHEN NEW.sort = 'name' AND NEW.number > 2048 BEGIN
    INSERT INTO group_ranges (app, sort, first, first_guid, number)
    SELECT NEW.app, 'name', name_folded, guid, NEW.number - 1024 FROM chat_groups
    WHERE app = NEW.app AND (name_folded, guid) >= (NEW.first, NEW.first_guid) AND deleted_at IS NULL
    ORDER BY name_folded, guid LIMIT 1 OFFSET 1024;
    UPDATE group_ranges SET number = 1024
    WHERE app = NEW.app AND sort = 'name' AND first = NEW.first AND first_guid = NEW.first_guid;
END;

-- Every app has the first range of each list from its start on.
CREATE TRIGGER apps_have_ranges AFTER INSERT ON apps BEGIN
    INSERT INTO user_ranges (app, first, active, deactivated) VALUES (NEW.app, '', 0, 0);
    INSERT INTO group_ranges (app, sort, first, first_guid, number)
    VALUES (NEW.app, 'guid', '', '', 0), (NEW.app, 'name', '', '', 0), (NEW.app, 'createdAt', 0, '', 0);
END;

CREATE TRIGGER apps_take_ranges_along AFTER DELETE ON apps BEGIN
    DELETE FROM user_ranges WHERE app = OLD.app;
    DELETE FROM group_ranges WHERE app = OLD.app;
END;

-- Filters ------------------------------------------------------------------------------------------------

-- With the columns that say who is listed, so that a page far inside a role skips the index alone.
DROP INDEX users_by_role;
CREATE INDEX users_by_role ON users (app, role, uid, deactivated_at, built_in);
CREATE INDEX chat_groups_by_type ON chat_groups (app, type, guid) WHERE deleted_at IS NULL;
CREATE INDEX chat_groups_by_change
ON chat_groups (app, coalesce(updated_at, created_at), group_key) WHERE deleted_at IS NULL;
