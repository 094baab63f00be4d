-- Apps that were deleted: they do not exist any more for callers, their rows go in batches. The app's own row
-- stays without its id and name, so that its number is never given to another app.
CREATE TABLE app_removals (
    app INTEGER PRIMARY KEY,
    begins_at INTEGER NOT NULL,            -- unix seconds: rows stay until then
    feed_position INTEGER NOT NULL,        -- entries up to here were looked at; -1: the webhooks are not gone yet
    feed_until INTEGER NOT NULL,           -- entries behind it cannot be the app's
    done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX app_removals_waiting ON app_removals (app) WHERE done = 0;

CREATE TABLE app_settings (
    app INTEGER NOT NULL REFERENCES apps,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,                -- 0 | 1
    PRIMARY KEY (app, name)
) WITHOUT ROWID;
