-- The program of an agent that is not fetched by its hash: JSON of its path, hash and version, as it was at this attempt.
ALTER TABLE turn ADD COLUMN program TEXT;
