ALTER TABLE auth_tokens ADD COLUMN masked TEXT COLLATE "C" NOT NULL DEFAULT '********';
ALTER TABLE auth_tokens ADD COLUMN platform TEXT COLLATE "C";
ALTER TABLE auth_tokens ADD COLUMN user_agent TEXT COLLATE "C";
ALTER TABLE auth_tokens ADD COLUMN app_info TEXT COLLATE "C";  -- JSON
