#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/message.h"
#include "experiments/spec.h"

namespace SQLite {
class Database;
}

namespace occam {

enum class AttemptState {
  running,
  completed,    // brought an outcome (completed or diverged)
  failed,       // the trial's own fault while alone: counts against --max-attempts
  lost,         // its worker ended under it, and the trial was not alone: does not count
  stopped,      // checkpointed and left on request
  interrupted,  // its coordinator died; found at the next open
};
template <>
std::span<const std::string_view> names_of<AttemptState>();

// What the coordinator knows of a worker when it starts an attempt there.
struct WorkerFacts {
  std::string host, device, build, libraries;
  bool deterministic = false;
};

// What the store holds of one planned trial of a sweep.
struct TrialHistory {
  std::int64_t failed_attempts = 0;       // that count
  std::vector<std::int64_t> leases;       // of all its attempts: their checkpoints may be continued
  std::optional<OutcomeStatus> outcome;   // unretired: completed or diverged
  std::vector<EvaluationRequest> missing; // requested, applicable and not recorded; all without outcome
};

// One evaluation with everything that a table may group by.
struct Result {
  std::string trial_id;
  Trial trial;
  std::string variant;  // of an ablation, else ""
  OutcomeStatus status; // a diverged trial has one Result with no evaluation
  std::optional<Evaluation> evaluation;
  std::string split;    // "test"
  std::string build, data;
};

// A planned trial without an outcome yet, for the cells of a table that are still missing.
struct Missing {
  std::string trial_id;
  Trial trial;
  std::string variant;
  std::vector<EvaluationRequest> evaluations;
  bool failed;  // its last attempt failed for good or so far
};

struct SweepResults {
  std::string name;
  std::vector<std::pair<std::string, TableSpec>> tables;  // of the spec
  std::vector<Result> results;  // in the spec's order of trials, then of evaluations
  std::vector<Missing> missing;
};

// What `occam status` prints.
struct SweepStatus {
  std::string name;
  std::int64_t trials, completed, diverged, failed, running;
  double train_seconds, evaluate_seconds;  // spent on recorded outcomes
  double wasted_seconds;                   // in attempts that brought none
  std::string started_at, last_outcome_at; // ISO 8601, UTC; empty when there is none
};

// The SQLite file that holds all sweeps of a project; see the schema in store.cc. One writer: a
// writing store holds an exclusive lock on "<path>.lock" for its life, which dies with the process.
// Not thread-safe. Every member throws Error naming the file, and the remedy where there is one.
class Store {
 public:
  enum class Mode { read, write };
  // write creates the file; read fails without one. Both refuse a directory, a file that is no
  // database, a database that is not occam's, and one of a newer schema.
  Store(const std::string& path, Mode mode);
  ~Store();
  Store(const Store&) = delete;

  const std::string& path() const { return path_; }

  // Stores the sweep as the given expansion (replacing an earlier spec of that name; outcomes stay)
  // and ends attempts that a dead coordinator left running as `interrupted`.
  void record_sweep(const Spec& spec, const Expansion& expansion);

  // One entry a trial of the expansion, in its order.
  std::vector<TrialHistory> histories(const Expansion& expansion) const;

  // The number that the next attempt gets; grows for ever, over all sweeps.
  std::int64_t next_lease() const;
  void begin_attempt(const std::string& trial, std::int64_t lease, const WorkerFacts& worker);
  void end_attempt(std::int64_t lease, AttemptState state, const std::string& error);

  // Outcome, evaluations and the attempt's new state in one transaction. False, and nothing is
  // written, when the lease is not running or the trial has an unretired outcome already. An outcome
  // with status failed ends the attempt as `failed` and stores no outcome row.
  bool record_outcome(const Outcome& outcome);
  void record_progress(const std::vector<Progress>& rows);

  // Further evaluations of a finished trial, from its kept features or a repeated run.
  // The latest sweep of that name; without a name the one that was last recorded.
  SweepResults results(const std::string& sweep = "") const;
  std::vector<SweepStatus> status() const;
  std::vector<std::string> sweeps() const;

  // Runs one read-only statement; values as text, null as nullopt.
  struct Rows {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> values;
  };
  Rows query(const std::string& sql) const;

  // Folds the write-ahead log in, so that the one file is the result and copying it loses nothing.
  void close();

 private:
  class Lock;
  std::string path_;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<SQLite::Database> database_;
};

}  // namespace occam
