ALTER TABLE unit ADD COLUMN limits TEXT;    -- who kept the app to them
