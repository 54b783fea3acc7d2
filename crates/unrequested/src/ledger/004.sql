-- One attempt of an agent at one step of a session. All are kept; the raw words are the truth, the rest is read from them.
CREATE TABLE turn (
  id           INTEGER PRIMARY KEY,
  run          TEXT NOT NULL REFERENCES run(id),
  session      TEXT NOT NULL,
  step         TEXT NOT NULL,
  attempt      INTEGER NOT NULL,
  agent        TEXT NOT NULL,
  model        TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),  -- failed: what surrounds the agent did
  begun        INTEGER NOT NULL,
  took_ms      INTEGER,
  ending       TEXT,
  why          TEXT,
  exit         TEXT,
  conversation TEXT,
  snapshot     TEXT,                    -- commit in the session's own repository of snapshots
  tree         TEXT,                    -- hash of the tree's files
  notes        TEXT,                    -- JSON list: what of the tree is odd or left out
  told         INTEGER,                 -- 1: the tokens are the agent's word; 0: read from its record
  used         TEXT,                    -- JSON of agent::Usage, of this step alone
  total        TEXT,                    -- the same, of the conversation up to here
  level        TEXT,
  limits       TEXT,
  said         BLOB REFERENCES blob(hash),
  stderr       BLOB REFERENCES blob(hash),
  record       BLOB REFERENCES blob(hash),
  UNIQUE (run, session, step, attempt)
);
