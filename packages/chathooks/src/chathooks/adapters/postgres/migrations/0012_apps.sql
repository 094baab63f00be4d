-- Apps that were deleted: they do not exist any more for callers, their rows go in batches. The app's own row
-- stays without its id and name, so that its number is never given to another app.
CREATE TABLE app_removals (
    app BIGINT PRIMARY KEY,
    begins_at BIGINT NOT NULL,            -- unix seconds: rows stay until then
    feed_position BIGINT NOT NULL,        -- entries up to here were looked at; -1: the webhooks are not gone yet
    feed_until BIGINT NOT NULL,           -- entries behind it cannot be the app's
    done BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX app_removals_waiting ON app_removals (app) WHERE done = 0;

CREATE TABLE app_settings (
    app BIGINT NOT NULL REFERENCES apps,
    name TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,                -- 0 | 1
    PRIMARY KEY (app, name)
);
