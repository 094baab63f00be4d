ALTER TABLE auth_tokens ADD COLUMN masked TEXT NOT NULL DEFAULT '********';
ALTER TABLE auth_tokens ADD COLUMN platform TEXT;
ALTER TABLE auth_tokens ADD COLUMN user_agent TEXT;
ALTER TABLE auth_tokens ADD COLUMN app_info TEXT;  -- JSON
