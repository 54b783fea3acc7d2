-- What the source of a unit's tree decided, as it was read; whether it is in force is joined at every read.
CREATE TABLE reading (
  unit INTEGER PRIMARY KEY REFERENCES unit(id),
  told TEXT NOT NULL                    -- JSON of model::decision::Told
);
ALTER TABLE unit ADD COLUMN limits TEXT;    -- who kept the app to them
