-- Counted ranges: how many users and groups stand in each stretch of a list, so that a page far inside it is found
-- by adding up a range per 1,024 to 2,048 rows instead of skipping the rows one by one. A range begins at `first` and
-- ends where the next one begins; the first range of every app begins before everything. One that has grown beyond
-- 2,048 rows is split in half; none is ever merged, since an empty one costs a line of a sum.

-- Users by uid -------------------------------------------------------------------------------------------

CREATE TABLE user_ranges (
    app BIGINT NOT NULL,
    first TEXT COLLATE "C" NOT NULL,       -- uid
    active BIGINT NOT NULL,
    deactivated BIGINT NOT NULL,
    PRIMARY KEY (app, first)
);

CREATE INDEX users_active ON users (app, uid) WHERE deactivated_at IS NULL AND built_in = 0;
DROP INDEX users_deactivated;
CREATE INDEX users_deactivated ON users (app, uid) WHERE deactivated_at IS NOT NULL AND built_in = 0;

INSERT INTO user_ranges (app, first, active, deactivated) SELECT app, '', 0, 0 FROM apps;
INSERT INTO user_ranges (app, first, active, deactivated)
SELECT app, CASE WHEN stretch = 0 THEN '' ELSE min(uid) END,
    count(*) FILTER (WHERE deactivated_at IS NULL), count(*) FILTER (WHERE deactivated_at IS NOT NULL)
FROM (
    SELECT app, uid, deactivated_at, (row_number() OVER (PARTITION BY app ORDER BY uid) - 1) / 1024 AS stretch
    FROM users WHERE built_in = 0
) AS placed
GROUP BY app, stretch
ON CONFLICT (app, first) DO UPDATE SET active = excluded.active, deactivated = excluded.deactivated;

CREATE FUNCTION count_user(of_app BIGINT, of_uid TEXT, is_active BOOLEAN, change BIGINT) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_ranges
    SET active = active + CASE WHEN is_active THEN change ELSE 0 END,
        deactivated = deactivated + CASE WHEN is_active THEN 0 ELSE change END
    WHERE app = of_app AND first = (
        SELECT first FROM user_ranges WHERE app = of_app AND first <= of_uid ORDER BY first DESC LIMIT 1
    );
END $$;
CREATE FUNCTION users_change_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.built_in = 0 THEN
        PERFORM count_user(OLD.app, OLD.uid, OLD.deactivated_at IS NULL, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.built_in = 0 THEN
        PERFORM count_user(NEW.app, NEW.uid, NEW.deactivated_at IS NULL, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_change_ranges AFTER INSERT OR DELETE OR UPDATE OF uid, deactivated_at, built_in ON users
FOR EACH ROW EXECUTE FUNCTION users_change_ranges();

CREATE FUNCTION user_ranges_split() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    upper_active BIGINT;
    upper_deactivated BIGINT;
    upper_first TEXT;
BEGIN
    SELECT min(uid), count(*) FILTER (WHERE deactivated_at IS NULL),
        count(*) FILTER (WHERE deactivated_at IS NOT NULL)
    INTO upper_first, upper_active, upper_deactivated
    FROM (
        SELECT uid, deactivated_at FROM users
        WHERE app = NEW.app AND uid >= NEW.first AND built_in = 0
        ORDER BY uid LIMIT NEW.active + NEW.deactivated - 1024 OFFSET 1024
    ) AS upper_half;
    INSERT INTO user_ranges (app, first, active, deactivated)
    VALUES (NEW.app, upper_first, upper_active, upper_deactivated);
    UPDATE user_ranges
    SET active = NEW.active - upper_active, deactivated = NEW.deactivated - upper_deactivated
    WHERE app = NEW.app AND first = NEW.first;
    RETURN NULL;
END $$;
CREATE TRIGGER user_ranges_split AFTER UPDATE ON user_ranges FOR EACH ROW
WHEN (NEW.active + NEW.deactivated > 2048) EXECUTE FUNCTION user_ranges_split();

-- Groups by guid, by name, by age ------------------------------------------------------------------------

CREATE TABLE group_ranges (
    app BIGINT NOT NULL,
    sort TEXT COLLATE "C" NOT NULL,        -- guid | name | createdAt
    first TEXT COLLATE "C" NOT NULL,       -- guid, folded name, or key of a group in 19 digits: what the list is sorted by
    first_guid TEXT COLLATE "C" NOT NULL,  -- by name: the guid, which comes second; else empty
    number BIGINT NOT NULL,
    PRIMARY KEY (app, sort, first, first_guid)
);

CREATE FUNCTION key_text(group_key BIGINT) RETURNS TEXT IMMUTABLE LANGUAGE sql
RETURN lpad(group_key::text, 19, '0');

INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, sort, first, '', 0
FROM apps CROSS JOIN (VALUES ('guid', ''), ('name', ''), ('createdAt', key_text(0))) AS lists (sort, first);
INSERT INTO group_ranges (app, sort, first, first_guid, number)
SELECT app, sort, CASE WHEN place > 0 THEN first WHEN sort = 'createdAt' THEN key_text(0) ELSE '' END,
    CASE WHEN place > 0 THEN first_guid ELSE '' END, least(1024, total - place)
FROM (
    SELECT app, sort, first, first_guid, count(*) OVER (PARTITION BY app, sort) AS total,
        row_number() OVER (PARTITION BY app, sort ORDER BY first, first_guid) - 1 AS place
    FROM (
        SELECT app, 'guid' AS sort, guid AS first, '' AS first_guid FROM chat_groups WHERE deleted_at IS NULL
        UNION ALL
        SELECT app, 'name', name_folded, guid FROM chat_groups WHERE deleted_at IS NULL
        UNION ALL
        SELECT app, 'createdAt', key_text(group_key) COLLATE "C", '' FROM chat_groups WHERE deleted_at IS NULL
    ) AS listed
) AS placed
WHERE place % 1024 = 0
ON CONFLICT (app, sort, first, first_guid) DO UPDATE SET number = excluded.number;

CREATE FUNCTION count_group(of_app BIGINT, of_sort TEXT, of_first TEXT, of_guid TEXT, change BIGINT) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE group_ranges SET number = number + change
    WHERE app = of_app AND sort = of_sort AND (first, first_guid) = (
        SELECT first, first_guid FROM group_ranges
        WHERE app = of_app AND sort = of_sort AND (first, first_guid) <= (of_first, of_guid)
        ORDER BY first DESC, first_guid DESC LIMIT 1
    );
END $$;
CREATE FUNCTION groups_enter_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_group(NEW.app, 'guid', NEW.guid, '', 1);
    PERFORM count_group(NEW.app, 'createdAt', key_text(NEW.group_key), '', 1);
    PERFORM count_group(NEW.app, 'name', NEW.name_folded, NEW.guid, 1);
    RETURN NULL;
END $$;
CREATE TRIGGER groups_enter_ranges AFTER INSERT ON chat_groups FOR EACH ROW
WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION groups_enter_ranges();
CREATE FUNCTION groups_leave_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_group(OLD.app, 'guid', OLD.guid, '', -1);
    PERFORM count_group(OLD.app, 'createdAt', key_text(OLD.group_key), '', -1);
    PERFORM count_group(OLD.app, 'name', OLD.name_folded, OLD.guid, -1);
    RETURN NULL;
END $$;
CREATE TRIGGER groups_leave_ranges AFTER UPDATE OF deleted_at ON chat_groups FOR EACH ROW
WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION groups_leave_ranges();
CREATE FUNCTION groups_move_in_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_group(OLD.app, 'name', OLD.name_folded, OLD.guid, -1);
    PERFORM count_group(NEW.app, 'name', NEW.name_folded, NEW.guid, 1);
    RETURN NULL;
END $$;
CREATE TRIGGER groups_move_in_ranges AFTER UPDATE OF name_folded ON chat_groups FOR EACH ROW
WHEN (OLD.name_folded <> NEW.name_folded AND OLD.deleted_at IS NULL AND NEW.deleted_at IS NULL)
EXECUTE FUNCTION groups_move_in_ranges();

CREATE FUNCTION group_ranges_split() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sort = 'guid' THEN
        INSERT INTO group_ranges (app, sort, first, first_guid, number)
        SELECT NEW.app, 'guid', guid, '', NEW.number - 1024 FROM chat_groups
        WHERE app = NEW.app AND guid >= NEW.first AND deleted_at IS NULL ORDER BY guid LIMIT 1 OFFSET 1024;
    ELSIF NEW.sort = 'createdAt' THEN
        INSERT INTO group_ranges (app, sort, first, first_guid, number)
        SELECT NEW.app, 'createdAt', key_text(group_key), '', NEW.number - 1024 FROM chat_groups
        WHERE app = NEW.app AND group_key >= NEW.first::bigint AND deleted_at IS NULL
        ORDER BY group_key LIMIT 1 OFFSET 1024;
    ELSE
        INSERT INTO group_ranges (app, sort, first, first_guid, number)
        SELECT NEW.app, 'name', name_folded, guid, NEW.number - 1024 FROM chat_groups
        WHERE app = NEW.app AND (name_folded, guid) >= (NEW.first, NEW.first_guid) AND deleted_at IS NULL
        ORDER BY name_folded, guid LIMIT 1 OFFSET 1024;
    END IF;
    UPDATE group_ranges SET number = 1024
    WHERE app = NEW.app AND sort = NEW.sort AND first = NEW.first AND first_guid = NEW.first_guid;
    RETURN NULL;
END $$;
CREATE TRIGGER group_ranges_split AFTER UPDATE ON group_ranges FOR EACH ROW
WHEN (NEW.number > 2048) EXECUTE FUNCTION group_ranges_split();

-- Every app has the first range of each list from its start on.
CREATE FUNCTION apps_have_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_ranges (app, first, active, deactivated) VALUES (NEW.app, '', 0, 0);
    INSERT INTO group_ranges (app, sort, first, first_guid, number)
    VALUES (NEW.app, 'guid', '', '', 0), (NEW.app, 'name', '', '', 0), (NEW.app, 'createdAt', key_text(0), '', 0);
    RETURN NULL;
END $$;
CREATE TRIGGER apps_have_ranges AFTER INSERT ON apps FOR EACH ROW EXECUTE FUNCTION apps_have_ranges();
CREATE FUNCTION apps_take_ranges_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM user_ranges WHERE app = OLD.app;
    DELETE FROM group_ranges WHERE app = OLD.app;
    RETURN NULL;
END $$;
CREATE TRIGGER apps_take_ranges_along AFTER DELETE ON apps FOR EACH ROW
EXECUTE FUNCTION apps_take_ranges_along();

-- Filters ------------------------------------------------------------------------------------------------

-- With the columns that say who is listed, so that a page far inside a role skips the index alone.
DROP INDEX users_by_role;
CREATE INDEX users_by_role ON users (app, role, uid, deactivated_at, built_in);
CREATE INDEX chat_groups_by_type ON chat_groups (app, type, guid) WHERE deleted_at IS NULL;
CREATE INDEX chat_groups_by_change
ON chat_groups (app, coalesce(updated_at, created_at), group_key) WHERE deleted_at IS NULL;
