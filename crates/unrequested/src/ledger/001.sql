-- The nouns. Scores and verdicts are not stored: facts are, and every reader judges them.
CREATE TABLE run (
  id         TEXT PRIMARY KEY,          -- UUIDv7
  begun      INTEGER NOT NULL,          -- milliseconds since 1970
  ended      INTEGER,                   -- NULL while unfinished
  command    TEXT NOT NULL,             -- bench or check
  tool       TEXT NOT NULL,             -- version
  suite      TEXT NOT NULL,             -- hash of exploit ids and revisions
  study      TEXT NOT NULL,             -- the study's text, or what was checked
  study_hash TEXT NOT NULL,
  seed       TEXT NOT NULL
);
CREATE TABLE unit (
  id         INTEGER PRIMARY KEY,
  run        TEXT NOT NULL REFERENCES run(id),
  key        TEXT NOT NULL,             -- hash of all that could change its result
  session    TEXT NOT NULL,
  agent      TEXT NOT NULL,
  framework  TEXT NOT NULL,
  arm        TEXT NOT NULL,
  replicate  INTEGER NOT NULL,
  step       TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  tree       TEXT,                      -- where its work tree is
  level      TEXT,                      -- of the box it really had
  profile    TEXT,
  boot_ms    INTEGER,
  requests   INTEGER,
  wall_ms    INTEGER,
  app_cpu_ms INTEGER,
  cause      TEXT,                      -- JSON of model::Cause when nothing could be attacked
  log        TEXT,
  UNIQUE (run, session, step, attempt)
);
CREATE TABLE attack (
  id       INTEGER PRIMARY KEY,
  unit     INTEGER NOT NULL REFERENCES unit(id),
  exploit  TEXT NOT NULL,
  revision INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  repeat   INTEGER NOT NULL,            -- 1: on a fresh copy from another seed, only to compare
  facts    TEXT NOT NULL,               -- JSON of model::Facts
  took_ms  INTEGER NOT NULL,
  UNIQUE (unit, exploit, attempt, repeat)
);
CREATE TABLE exchange (
  id      INTEGER PRIMARY KEY,
  attack  INTEGER NOT NULL REFERENCES attack(id),
  number  INTEGER NOT NULL,
  who     TEXT NOT NULL,
  label   TEXT NOT NULL,
  source  TEXT NOT NULL,                -- address
  sent    BLOB NOT NULL REFERENCES blob(hash),
  got     BLOB REFERENCES blob(hash),
  trouble TEXT,
  took_us INTEGER NOT NULL,
  UNIQUE (attack, number)
);
CREATE TABLE blob (
  hash  BLOB PRIMARY KEY,               -- BLAKE3 of the bytes before squeezing
  form  INTEGER NOT NULL,               -- 0 as they are, 1 runs of one byte squeezed
  bytes BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX unit_of_run ON unit(run);
