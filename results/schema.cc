#include "results/schema.h"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "experiments/evaluation.h"
#include "experiments/trial.h"
#include "results/result_field.h"
#include "results/sql_text.h"

namespace occam {
namespace {

// Statement i brings a database from version i to i + 1; a released one never changes.
constexpr const char* kMigrations[kSchemaVersion] = {R"sql(
CREATE TABLE sweep(
  name TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,  -- the last recorded has the largest
  text TEXT NOT NULL,              -- the spec as read
  tables TEXT NOT NULL,            -- JSON of the tables that it names
  recorded_at TEXT NOT NULL
) STRICT;

-- What a sweep asks for on each of its trials; its parts may ask for different lists.
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

CREATE TABLE trial(
  id TEXT PRIMARY KEY,
  config TEXT NOT NULL CHECK (json_valid(config))  -- every field; null where it does not apply
) STRICT;

CREATE TABLE sweep_trial(
  sweep TEXT NOT NULL REFERENCES sweep ON DELETE CASCADE,
  position INTEGER NOT NULL,
  trial TEXT NOT NULL REFERENCES trial,
  variant TEXT NOT NULL,
  list INTEGER NOT NULL,  -- of request
  PRIMARY KEY (sweep, position),
  UNIQUE (sweep, trial)
) STRICT, WITHOUT ROWID;

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
CREATE INDEX running_attempt ON attempt(lease) WHERE state = 'running';

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
-- A trial's result counts once.
CREATE UNIQUE INDEX unretired_outcome ON outcome(trial) WHERE retired_at IS NULL;

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
)sql",
                                                     R"sql(
-- The attempt of the same trial whose checkpoint it went on from, and when that was saved.
ALTER TABLE attempt ADD COLUMN continued INTEGER REFERENCES attempt(lease);
ALTER TABLE attempt ADD COLUMN continued_at TEXT CHECK ((continued_at IS NULL) = (continued IS NULL));
-- Where it ran: the worker's number on its node.
ALTER TABLE attempt ADD COLUMN node INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worker INTEGER NOT NULL DEFAULT 0;
-- A failure that the user took back with occam retry: it counts no more.
ALTER TABLE attempt ADD COLUMN forgiven_at TEXT;
-- A trial that a later spec of the sweep's name left out: kept, and no part of the sweep.
ALTER TABLE sweep_trial ADD COLUMN orphaned_at TEXT;
-- A trial that the user took out of the sweep with occam cancel.
ALTER TABLE sweep_trial ADD COLUMN cancelled_at TEXT;
)sql",
                                                     R"sql(
-- Why the training counts as collapsed; empty when it does not.
ALTER TABLE outcome ADD COLUMN collapsed TEXT NOT NULL DEFAULT '';
)sql",
                                                     R"sql(
-- The scheduler's job that it ran in ('12', '12_3' of an array; '' outside one), and how often that had been requeued.
ALTER TABLE attempt ADD COLUMN job TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN restart_count INTEGER NOT NULL DEFAULT 0;
)sql",
                                                     R"sql(
-- For occam status: what is rare among the trials of a large sweep.
CREATE INDEX orphan ON sweep_trial(sweep, trial) WHERE orphaned_at IS NOT NULL;
CREATE INDEX cancelled_trial ON sweep_trial(sweep, trial) WHERE cancelled_at IS NOT NULL;
CREATE INDEX attempt_without_outcome ON attempt(trial, number) WHERE state != 'completed';
CREATE INDEX gang_attempt ON attempt(trial, number) WHERE device GLOB '[1-9]* x *';
CREATE INDEX attempt_by_start ON attempt(started_at);
)sql",
                                                     R"sql(
-- For occam status: what a sweep's trials, without the orphans, have brought; see results/tally.h.
DROP INDEX attempt_by_start;
CREATE TABLE tally(
  sweep TEXT PRIMARY KEY REFERENCES sweep ON DELETE CASCADE,
  trials INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  diverged INTEGER NOT NULL,
  collapsed INTEGER NOT NULL,
  train_seconds REAL NOT NULL,
  evaluate_seconds REAL NOT NULL,
  started_at TEXT NOT NULL,      -- of the first attempt; '' without one
  last_outcome_at TEXT NOT NULL  -- whether it counts or not; '' without one
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempt_begins AFTER INSERT ON attempt BEGIN
  UPDATE tally SET started_at = new.started_at
  WHERE (started_at = '' OR started_at > new.started_at) AND EXISTS (SELECT 1 FROM sweep_trial s
    WHERE s.sweep = tally.sweep AND s.trial = new.trial AND s.orphaned_at IS NULL);
END;
CREATE TRIGGER outcome_comes AFTER INSERT ON outcome BEGIN
  UPDATE tally SET last_outcome_at = max(last_outcome_at, new.recorded_at),
    completed = completed + (new.retired_at IS NULL) * (new.status = 'completed'),
    diverged = diverged + (new.retired_at IS NULL) * (new.status = 'diverged'),
    collapsed = collapsed + (new.retired_at IS NULL) * (new.collapsed != ''),
    train_seconds = train_seconds + (new.retired_at IS NULL) * new.train_seconds,
    evaluate_seconds = evaluate_seconds + (new.retired_at IS NULL) * new.evaluate_seconds
  WHERE EXISTS (SELECT 1 FROM sweep_trial s
    WHERE s.sweep = tally.sweep AND s.trial = new.trial AND s.orphaned_at IS NULL);
END;
CREATE TRIGGER outcome_is_retired_or_not AFTER UPDATE OF retired_at ON outcome
WHEN (new.retired_at IS NULL) != (old.retired_at IS NULL) BEGIN
  UPDATE tally SET
    completed = completed + iif(new.retired_at IS NULL, 1, -1) * (new.status = 'completed'),
    diverged = diverged + iif(new.retired_at IS NULL, 1, -1) * (new.status = 'diverged'),
    collapsed = collapsed + iif(new.retired_at IS NULL, 1, -1) * (new.collapsed != ''),
    train_seconds = train_seconds + iif(new.retired_at IS NULL, 1, -1) * new.train_seconds,
    evaluate_seconds = evaluate_seconds + iif(new.retired_at IS NULL, 1, -1) * new.evaluate_seconds
  WHERE EXISTS (SELECT 1 FROM sweep_trial s
    WHERE s.sweep = tally.sweep AND s.trial = new.trial AND s.orphaned_at IS NULL);
END;

-- What cannot be followed by adding drops the rows: they are counted anew.
CREATE TRIGGER attempt_changes AFTER UPDATE OF trial, started_at ON attempt BEGIN
  DELETE FROM tally;
END;
CREATE TRIGGER attempt_goes AFTER DELETE ON attempt BEGIN
  DELETE FROM tally;
END;
CREATE TRIGGER outcome_changes AFTER UPDATE OF trial, status, collapsed, train_seconds,
  evaluate_seconds, recorded_at ON outcome BEGIN
  DELETE FROM tally;
END;
CREATE TRIGGER outcome_goes AFTER DELETE ON outcome BEGIN
  DELETE FROM tally;
END;
CREATE TRIGGER trial_is_planned AFTER INSERT ON sweep_trial BEGIN
  DELETE FROM tally WHERE sweep = new.sweep;
END;
CREATE TRIGGER plan_changes AFTER UPDATE OF sweep, trial, orphaned_at ON sweep_trial BEGIN
  DELETE FROM tally WHERE sweep IN (old.sweep, new.sweep);
END;
CREATE TRIGGER trial_is_planned_no_more AFTER DELETE ON sweep_trial BEGIN
  DELETE FROM tally WHERE sweep = old.sweep;
END;
)sql"};

std::string literal(const nlohmann::json& value) {
  return value.is_string()   ? sql_text(value.get<std::string>())
         : value.is_object() ? sql_text(value.dump())
                             : value.dump();
}

// Absent (the trial is older than the field) is the default, null is null.
std::string field_column(const std::string& field) {
  std::string_view shown;
  const Trial any;
  visit_fields(any, [&](const FieldFacts& facts, const auto&) {
    if (facts.name == field) shown = facts.shown;
  });
  const std::string path = sql_text("$." + field + (shown.empty() ? "" : "." + std::string(shown)));
  return "  CASE WHEN json_type(config, " + path + ") IS NULL THEN " +
         literal(value_of(Trial{}, field)) + " ELSE json_extract(config, " + path + ") END AS \"" +
         field + "\"";
}

std::string class_name_column() {
  std::string text = "  CASE json_extract(config, '$.dataset')";
  for (std::size_t i = 0; i < names_of<Dataset>().size(); ++i) {
    const auto dataset = static_cast<Dataset>(i);
    text +=
        "\n    WHEN " + sql_text(to_string(dataset)) + " THEN CASE json_extract(config, '$.class')";
    const auto& classes = facts(dataset).classes;
    for (std::size_t index = 0; index < classes.size(); ++index)
      text += " WHEN " + std::to_string(index) + " THEN " + sql_text(classes[index]);
    text += " END";
  }
  return text + " END AS class_name";
}

// The fields of `configuration`, null where `features` does not depend on them.
std::string columns_of_results() {
  std::string text;
  const auto add = [&](const std::string& field, const std::string& column) {
    text += concerns(field, Features::pixels)
                ? "  " + column + ",\n"
                : "  CASE WHEN e.features = 'pixels' THEN NULL ELSE " + column + " END AS \"" +
                      field + "\",\n";
  };
  for (const std::string& field : field_names()) add(field, "c.\"" + field + "\"");
  add("class_name", "c.class_name");
  add("variant", "s.variant");
  return text;
}

std::string columns_of_trials() {
  std::string text;
  for (const std::string& field : field_names()) text += "  c.\"" + field + "\",\n";
  return text + "  c.class_name,\n  s.variant,\n";
}

struct View {
  std::string name, sql;
};

std::vector<View> views() {
  std::string configuration = "CREATE VIEW configuration AS SELECT\n  id AS trial";
  for (const std::string& field : field_names()) configuration += ",\n" + field_column(field);
  configuration += ",\n" + class_name_column() + "\nFROM trial";

  const std::string results = "CREATE VIEW results AS SELECT\n  s.sweep,\n  s.trial,\n" +
                              columns_of_results() + R"sql(  e.features,
  e.classifier,
  e.parameters,
  e.split,
  e.auroc,
  e.average_precision,
  e.fpr95,
  e.outliers,
  e.inliers,
  e.seconds,
  o.status,
  o.collapsed,
  o.attempt,
  o.train_seconds,
  o.data,
  a.build,
  a.revision,
  a.libraries,
  a.device,
  a.deterministic
FROM sweep_trial s
JOIN configuration c ON c.trial = s.trial
JOIN outcome o ON o.trial = s.trial AND o.retired_at IS NULL
JOIN attempt a ON a.trial = o.trial AND a.number = o.attempt
LEFT JOIN evaluation e ON e.trial = o.trial AND e.attempt = o.attempt AND EXISTS (
  SELECT 1 FROM request r
  WHERE r.sweep = s.sweep AND r.list = s.list AND r.features = e.features
    AND r.classifier = e.classifier AND r.parameters = e.parameters)
WHERE s.orphaned_at IS NULL AND (e.trial IS NOT NULL OR o.status = 'diverged'))sql";

  const std::string trials =
      "CREATE VIEW trials AS SELECT\n  s.sweep,\n  s.position,\n  s.trial,\n" +
      columns_of_trials() + R"sql(  CASE
    WHEN o.status IS NOT NULL THEN o.status
    WHEN last.state = 'running' THEN last.state
    WHEN s.cancelled_at IS NOT NULL THEN 'cancelled'
    WHEN last.state = 'failed' AND last.forgiven_at IS NULL THEN last.state
    ELSE 'waiting' END AS state,
  coalesce(last.number, 0) AS attempts,
  (SELECT count(*) FROM attempt f WHERE f.trial = s.trial AND f.state = 'failed'
    AND f.forgiven_at IS NULL) AS failed_attempts,
  o.collapsed,
  o.train_seconds,
  o.evaluate_seconds,
  o.steps AS steps_taken,
  last.host,
  last.device,
  last.build,
  (SELECT started_at FROM attempt f WHERE f.trial = s.trial AND f.number = 1) AS started_at,
  last.ended_at,
  nullif(last.error, '') AS last_error
FROM sweep_trial s
JOIN configuration c ON c.trial = s.trial
LEFT JOIN outcome o ON o.trial = s.trial AND o.retired_at IS NULL
LEFT JOIN attempt last ON last.trial = s.trial
  AND last.number = (SELECT max(number) FROM attempt f WHERE f.trial = s.trial)
WHERE s.orphaned_at IS NULL)sql";

  const std::string curves = R"sql(CREATE VIEW curves AS SELECT
  s.sweep,
  s.trial,
  e.epoch,
  e.loss AS train_loss,
  e.accuracy,
  e.learning_rate,
  e.images_per_second
FROM sweep_trial s
JOIN epoch e ON e.trial = s.trial
WHERE s.orphaned_at IS NULL)sql";

  return {{"configuration", configuration},
          {"results", results},
          {"trials", trials},
          {"curves", curves}};
}

bool views_are_current(SQLite::Database& database) {
  SQLite::Statement stored(database,
                           "SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?");
  for (const View& view : views()) {
    stored.reset();
    stored.bind(1, view.name);
    if (!stored.executeStep() || stored.getColumn(0).getString() != view.sql) return false;
  }
  return true;
}

}  // namespace

std::string views_sql() {
  std::string text;
  for (const View& view : views()) text += view.sql + ";\n\n";
  return text;
}

void create_first_tables(SQLite::Database& database) { database.exec(kMigrations[0]); }

void migrate(SQLite::Database& database) {
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version == kSchemaVersion && views_are_current(database)) return;
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  for (int i = version; i < kSchemaVersion; ++i) database.exec(kMigrations[i]);
  for (const View& view : views()) {
    database.exec("DROP VIEW IF EXISTS " + view.name);
    database.exec(view.sql);
  }
  database.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
}

}  // namespace occam
