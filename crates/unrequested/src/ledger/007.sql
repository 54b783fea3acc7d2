-- With what an attempt's model was paid: `key`, `subscription`; NULL where a server wanted nothing, or an older tool asked.
ALTER TABLE turn ADD COLUMN auth TEXT;
