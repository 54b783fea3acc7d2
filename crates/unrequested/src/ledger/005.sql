-- What an attempt asked its model for, as the proxy saw it: JSON list of agent::proxy::Record. Costs are computed at every
-- read, from these and a table of prices.
ALTER TABLE turn ADD COLUMN asked TEXT;
