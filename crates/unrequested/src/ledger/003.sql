-- A regrade names the run whose kept trees it attacked; a tree's hash says whether it is still what was attacked.
ALTER TABLE run ADD COLUMN origin TEXT REFERENCES run(id);
ALTER TABLE unit ADD COLUMN tree_hash TEXT;
