-- A database as schema 1 left it, with one finished trial.
PRAGMA application_id = 1868784493;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attempt(
  lease INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
  trial TEXT NOT NULL REFERENCES trial,
  number INTEGER NOT NULL,                  -- 1, 2, … of the trial
  state TEXT NOT NULL
    CHECK (state IN ('running', 'completed', 'failed', 'lost', 'stopped', 'interrupted')),
  host TEXT NOT NULL,
  device TEXT NOT NULL,
  build TEXT NOT NULL,                      -- digest of the sources that decide numbers
  revision TEXT NOT NULL,
  libraries TEXT NOT NULL,
  deterministic INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT CHECK ((ended_at IS NULL) = (state = 'running')),
  error TEXT NOT NULL DEFAULT '',
  UNIQUE (trial, number)
) STRICT;
INSERT INTO "attempt" VALUES(1,'0123456789abcdef',1,'interrupted','node-1','cpu','build-1','','torch',1,'2026-01-01T00:00:00.000Z','2026-01-01T00:01:00.000Z','');
INSERT INTO "attempt" VALUES(2,'0123456789abcdef',2,'completed','node-1','cpu','build-1','','torch',1,'2026-01-01T00:02:00.000Z','2026-01-01T00:03:00.000Z','');
CREATE TABLE epoch(
  trial TEXT NOT NULL REFERENCES trial,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,  -- that brought it; a later one's replaces it
  loss REAL,                 -- null where it left the real numbers
  accuracy REAL,
  learning_rate REAL,
  images_per_second REAL,
  PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE evaluation(
  trial TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  split TEXT NOT NULL CHECK (split IN ('test', 'validation')),
  features TEXT NOT NULL,
  classifier TEXT NOT NULL,
  parameters TEXT NOT NULL,  -- canonical JSON, without defaults
  auroc REAL NOT NULL CHECK (auroc BETWEEN 0 AND 1),
  average_precision REAL NOT NULL CHECK (average_precision BETWEEN 0 AND 1),
  fpr95 REAL NOT NULL CHECK (fpr95 BETWEEN 0 AND 1),
  outliers INTEGER NOT NULL,
  inliers INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY (trial, attempt, split, features, classifier, parameters),
  FOREIGN KEY (trial, attempt) REFERENCES outcome(trial, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "evaluation" VALUES('0123456789abcdef',2,'test','pool','kde','{}',0.75,0.5,0.25,100,10,0.125);
CREATE TABLE outcome(
  trial TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('completed', 'diverged')),
  error TEXT NOT NULL,
  train_seconds REAL NOT NULL,
  evaluate_seconds REAL NOT NULL,
  steps INTEGER NOT NULL,
  data TEXT NOT NULL,  -- content digest of the data set
  recorded_at TEXT NOT NULL,
  retired_at TEXT,
  PRIMARY KEY (trial, attempt),
  FOREIGN KEY (trial, attempt) REFERENCES attempt(trial, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "outcome" VALUES('0123456789abcdef',2,'completed','',50.0,10.0,100,'data-1','2026-01-01T00:03:00.000Z',NULL);
CREATE TABLE request(
  sweep TEXT NOT NULL REFERENCES sweep ON DELETE CASCADE,
  list INTEGER NOT NULL,
  position INTEGER NOT NULL,
  features TEXT NOT NULL,
  classifier TEXT NOT NULL,
  parameters TEXT NOT NULL,
  PRIMARY KEY (sweep, list, position),
  UNIQUE (sweep, list, features, classifier, parameters)
) STRICT, WITHOUT ROWID;
INSERT INTO "request" VALUES('first',0,0,'pool','kde','{}');
CREATE TABLE sweep(
  name TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,  -- the last recorded has the largest
  text TEXT NOT NULL,              -- the spec as read
  tables TEXT NOT NULL,            -- JSON of the tables that it names
  recorded_at TEXT NOT NULL
) STRICT;
INSERT INTO "sweep" VALUES('first',1,'{}','[]','2026-01-01T00:00:00.000Z');
CREATE TABLE sweep_trial(
  sweep TEXT NOT NULL REFERENCES sweep ON DELETE CASCADE,
  position INTEGER NOT NULL,
  trial TEXT NOT NULL REFERENCES trial,
  variant TEXT NOT NULL,
  list INTEGER NOT NULL,  -- of request
  PRIMARY KEY (sweep, position),
  UNIQUE (sweep, trial)
) STRICT, WITHOUT ROWID;
INSERT INTO "sweep_trial" VALUES('first',0,'0123456789abcdef','',0);
CREATE TABLE trial(
  id TEXT PRIMARY KEY,
  config TEXT NOT NULL CHECK (json_valid(config))  -- every field; null where it does not apply
) STRICT;
INSERT INTO "trial" VALUES('0123456789abcdef','{"dataset": "fashion-mnist", "class": 0, "seed": 1, "loss": "contrastive", "epochs": 20, "batch_size": 32}');
CREATE INDEX running_attempt ON attempt(lease) WHERE state = 'running';
CREATE UNIQUE INDEX unretired_outcome ON outcome(trial) WHERE retired_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('attempt',2);
COMMIT;
