-- Webhooks of an app that are not deleted: counted on every creation, listed, never the deleted ones with them.
CREATE INDEX webhooks_live ON webhooks (app, lane) WHERE deleted_at IS NULL;
