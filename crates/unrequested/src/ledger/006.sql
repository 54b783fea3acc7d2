-- The words that an attempt was given. Arms differ in them, and a feedback arm's are known only when it is run.
ALTER TABLE turn ADD COLUMN prompt TEXT;
