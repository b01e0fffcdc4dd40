#include "results/store.h"

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include "results/open_database.h"
#include "results/outcome_spool.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "results/store_step.h"
#include "results/tally.h"

namespace occam {
namespace {

// The attempt that holds a lease, while it runs.
struct RunningAttempt {
  std::string trial;
  std::int64_t number;
};

std::optional<RunningAttempt> running_attempt(Statements& database, std::int64_t lease) {
  Prepared find(database, "SELECT trial, number FROM attempt WHERE lease = ? AND state = 'running'",
                lease);
  if (!find->executeStep()) return std::nullopt;
  return RunningAttempt{find->getColumn(0).getString(), find->getColumn(1).getInt64()};
}

void end(Statements& database, std::int64_t lease, AttemptState state, const std::string& error) {
  run(database,
      "UPDATE attempt SET state = ?, ended_at = " + kNow +
          ", error = ? WHERE lease = ? AND state = 'running'",
      to_string(state), error, lease);
}

// Whether the outcome may become the trial's one: it has none, or one that lacks a score of this.
bool adds_something(Statements& database, const Outcome& outcome) {
  Prepared find(database,
                "SELECT status, attempt FROM outcome WHERE trial = ? AND retired_at IS NULL",
                outcome.trial);
  if (!find->executeStep()) return true;
  if (find->getColumn(0).getString() == to_string(OutcomeStatus::diverged)) return false;
  const std::int64_t attempt = find->getColumn(1).getInt64();
  for (const Evaluation& evaluation : outcome.evaluations) {
    const EvaluationRequest& request = evaluation.request;
    Prepared known(database,
                   "SELECT 1 FROM evaluation WHERE trial = ? AND attempt = ? AND split = ? AND "
                   "features = ? AND classifier = ? AND parameters = ?",
                   outcome.trial, attempt, to_string(request.split), to_string(request.features),
                   to_string(request.classifier), parameters_text(request));
    if (!known->executeStep()) return true;
  }
  return false;
}

void insert_outcome(Statements& database, const Outcome& outcome, std::int64_t attempt) {
  run(database,
      "UPDATE outcome SET retired_at = " + kNow + " WHERE trial = ? AND retired_at IS NULL",
      outcome.trial);
  run(database,
      "INSERT INTO outcome(trial, attempt, status, error, train_seconds, evaluate_seconds, steps, "
      "data, collapsed, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, " +
          kNow + ")",
      outcome.trial, attempt, to_string(outcome.status), outcome.error, outcome.train_seconds,
      outcome.evaluate_seconds, outcome.steps, outcome.data, outcome.collapsed);
  if (!outcome.build.empty())
    run(database, "UPDATE attempt SET build = ? WHERE lease = ?", outcome.build, outcome.lease);
  for (const Evaluation& one : outcome.evaluations)
    run(database, "INSERT INTO evaluation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        outcome.trial, attempt, to_string(one.request.split), to_string(one.request.features),
        to_string(one.request.classifier), parameters_text(one.request), one.auroc,
        one.average_precision, one.fpr95, one.outliers, one.inliers, one.seconds);
}

}  // namespace

template <>
std::span<const std::string_view> names_of<AttemptState>() {
  static constexpr std::string_view names[] = {"running", "completed", "failed",
                                               "lost",    "stopped",   "interrupted"};
  return names;
}

Store::Store(const std::string& path, Mode mode) : Store(path, mode, Journal::automatic) {}

Store::Store(const std::string& path, Mode mode, Journal journal) : path_(path) {
  switch (mode) {
    case Mode::read:
      check_readable(path);
      explained(path, [&] { database_ = open_for_reading(path); });
      return;
    case Mode::write:
      check_writable(path);
      lock_ = std::make_unique<StoreLock>(path);
      explained(path, [&] {
        database_ = open_for_writing(path, journal);
        complete_tallies(*database_);
        statements_ = std::make_unique<Statements>(*database_);
        const OutcomeSpool spool(path);
        for (const Outcome& outcome : spool.waiting()) taken_in_ += record_outcome(outcome);
        spool.clear();
        end_interrupted();
      });
      return;
  }
}

// The lock is ours, so whoever ran these is dead.
void Store::end_interrupted() {
  run(*statements_,
      "UPDATE attempt SET state = 'interrupted', ended_at = " + kNow + " WHERE state = 'running'");
}

Store::~Store() = default;

Journal Store::journal() const {
  return explained(path_, [&] {
    return database_->execAndGet("PRAGMA journal_mode").getString() == "wal" ? Journal::wal
                                                                             : Journal::rollback;
  });
}

std::int64_t Store::next_lease() const {
  return explained(path_, [&] {
    return database_
        ->execAndGet("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'attempt'")
        .getInt64();
  });
}

void Store::begin_attempt(const std::string& trial, std::int64_t lease, const WorkerFacts& worker,
                          const std::optional<ContinuedCheckpoint>& continued) {
  explained(path_, [&] {
    Step step(*statements_, grouped_);
    run(*statements_,
        "INSERT INTO attempt(lease, trial, number, state, host, device, build, libraries, "
        "deterministic, revision, node, worker, job, restart_count, started_at) SELECT ?1, ?2, "
        "coalesce(max(number), 0) + 1, 'running', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, " +
            kNow + " FROM attempt WHERE trial = ?2",
        lease, trial, worker.host, worker.device, worker.build, worker.libraries,
        static_cast<int>(worker.deterministic), worker.revision, worker.node, worker.number,
        worker.job, worker.restart_count);
    if (continued)
      run(*statements_,
          "UPDATE attempt SET continued = ?2, continued_at = "
          "strftime('%Y-%m-%dT%H:%M:%fZ', ?3, 'unixepoch') WHERE lease = ?1",
          lease, continued->lease,
          std::chrono::duration<double>(continued->saved_at.time_since_epoch()).count());
    step.commit();
  });
}

void Store::end_attempt(std::int64_t lease, AttemptState state, const std::string& error) {
  explained(path_, [&] {
    Step step(*statements_, grouped_);
    end(*statements_, lease, state, error);
    step.commit();
  });
}

bool Store::record_outcome(const Outcome& outcome) {
  return explained(path_, [&] {
    Step step(*statements_, grouped_);
    const auto attempt = running_attempt(*statements_, outcome.lease);
    if (!attempt || attempt->trial != outcome.trial) return false;
    if (outcome.status == OutcomeStatus::failed) {
      end(*statements_, outcome.lease, AttemptState::failed, outcome.error);
    } else {
      if (!adds_something(*statements_, outcome)) return false;
      insert_outcome(*statements_, outcome, attempt->number);
      end(*statements_, outcome.lease, AttemptState::completed, outcome.error);
    }
    step.commit();
    return true;
  });
}

void Store::record_progress(const std::vector<Progress>& rows) {
  explained(path_, [&] {
    if (rows.empty()) return;
    Step step(*statements_, grouped_);
    for (const Progress& row : rows)
      run(*statements_,
          "INSERT OR REPLACE INTO epoch SELECT trial, ?2, number, ?3, ?4, ?5, ?6 FROM attempt "
          "WHERE "
          "lease = ?1 AND state = 'running'",
          row.lease, row.epoch, row.loss, row.accuracy, row.learning_rate, row.images_per_second);
    step.commit();
  });
}

void Store::begin_group() { grouped_ = true; }

void Store::commit_group() {
  explained(path_, [&] {
    grouped_ = false;
    if (sqlite3_get_autocommit(database_->getHandle()) != 0) return;
    try {
      run(*statements_, "COMMIT");
    } catch (...) {
      database_->tryExec("ROLLBACK");
      throw;
    }
  });
}

void Store::close() {
  if (!lock_) return;
  explained(path_, [&] {
    statements_ = std::make_unique<Statements>(*database_);  // the old ones would hold the log
    // Both answer with a row also where a reader keeps them from it.
    database_->execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
    database_->tryExec("PRAGMA journal_mode = DELETE");
  });
}

}  // namespace occam
