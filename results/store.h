#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/error.h"
#include "experiments/spec.h"
#include "results/change.h"
#include "results/local_disk.h"
#include "results/merge.h"
#include "results/recover.h"

namespace SQLite {
class Database;
}

namespace occam {

class FileIdentity;
class StoreLock;
class Statements;

// Another program's lock stood in the way of a change for longer than the store waits for it.
class LockedError : public Error {
 public:
  using Error::Error;
};

// What the store holds of one planned trial of a sweep.
struct TrialHistory {
  std::int64_t failed_attempts = 0;      // that count: since its last outcome
  std::vector<std::int64_t> leases;      // of all its attempts: their checkpoints may be continued
  std::optional<OutcomeStatus> outcome;  // unretired: completed or diverged
  // What the next attempt must bring; empty when nothing lacks. An outcome's numbers come from one
  // attempt, so where one requested score lacks this is all of them, and those recorded for others.
  std::vector<EvaluationRequest> missing;
  // Those of them that no recorded score answers.
  std::vector<EvaluationRequest> unrecorded = {};
  bool cancelled = false;  // taken out of the sweep by the user
};

// What recording an expansion changes in the sweep that is stored under its name.
struct SweepDrift {
  bool known = false;  // there is one
  std::size_t kept = 0, added = 0, orphaned = 0;
  std::size_t orphaned_outcomes = 0;  // recorded; they stay
  std::size_t fewer_scores = 0;       // of the kept: asked for fewer, whatever else for more
  // identity() of some of the trials.
  std::vector<std::string> added_examples = {}, orphaned_examples = {};
  bool changed() const { return known && added + orphaned + fewer_scores > 0; }
  bool only_adds() const { return orphaned + fewer_scores == 0; }
};

// One evaluation with everything that a table may group by.
struct Result {
  std::int64_t position;  // of the trial in the sweep
  std::string trial_id;
  Trial trial;
  std::string variant;   // of an ablation, else ""
  OutcomeStatus status;  // completed or diverged
  EvaluationRequest request;
  std::optional<Evaluation> evaluation;  // none of a diverged trial
  std::string build, data;
  std::string collapsed = "";  // why the training counts as collapsed, else empty
};

// A planned trial without (all of) its scores yet, for the cells of a table that are still missing.
struct Missing {
  std::int64_t position;
  std::string trial_id;
  Trial trial;
  std::string variant;
  std::vector<EvaluationRequest> evaluations;  // that lack
  bool failed;                                 // its last attempt failed for good or so far
};

struct SweepResults {
  std::string name;
  std::string text;                                       // the spec as read; "" of several
  std::vector<std::pair<std::string, TableSpec>> tables;  // of the spec
  std::vector<EvaluationRequest> requests;                // all that the spec names, in its order
  std::vector<Result> results;  // in the spec's order of trials, then of evaluations
  std::vector<Missing> missing;
};

// What `occam status` prints.
struct SweepStatus {
  std::string name;
  std::int64_t trials, completed, diverged, failed, running;
  std::int64_t collapsed;                  // of the completed
  std::int64_t interrupted;                // running when their coordinator died
  double train_seconds, evaluate_seconds;  // spent on recorded outcomes
  // In attempts without an outcome, what no later one went on from: all of a failed attempt, and of
  // another, once its trial has been tried again, the time since the checkpoint that was continued.
  double wasted_seconds;
  std::string started_at, last_outcome_at;  // ISO 8601, UTC; empty when there is none
  std::int64_t cancelled;                   // without an outcome
  std::int64_t again;  // of the done: tried again for more scores, without an end yet
  // Of the trials, those that wait or run.
  std::int64_t left() const { return trials - completed - diverged - failed - cancelled; }
};

// Values with the types that SQLite holds them in: null, integer, real or text; of a blob its hex
// digits.
using Row = std::vector<nlohmann::json>;

// The SQLite file that holds all sweeps of a project; see the schema in schema.cc. One writer: a
// writing store holds an exclusive lock on "<path>.lock" for its life, which dies with the process.
// A reading one takes no lock, writes nothing and sees what a running writer commits.
// Not thread-safe. Every member throws Error naming the file, and the remedy where there is one.
class Store {
 public:
  enum class Mode { read, write };
  // write creates the file, takes in outcomes that an earlier run could not write, and ends
  // attempts that a dead coordinator left running as `interrupted`; read fails without a file. Both
  // refuse a directory, a file that is no database, a database that is not occam's, and one of a
  // newer schema.
  Store(const std::string& path, Mode mode);
  Store(const std::string& path, Mode mode, Journal journal);
  ~Store();
  Store(const Store&) = delete;

  const std::string& path() const { return path_; }
  // Whether this open made the file.
  bool is_new() const { return is_new_; }
  // Removes that file again, and no other: for who could not fill it. The store is of no more use.
  void discard_new();
  // What SQLite agreed to; of an open for reading what the file has.
  Journal journal() const;
  // Outcomes that an earlier run could not write and that this open took in.
  std::size_t taken_in() const { return taken_in_; }
  // That, and what an earlier run left that it could not take in and where that is kept: a line
  // each, or nothing.
  std::string opening_text() const;

  SweepDrift drift(const Spec& spec, const Expansion& expansion) const;
  // Stores the sweep as the given expansion. Trials of an earlier spec of that name which this one
  // leaves out stay as orphans of the sweep, with their outcomes; a cancelled one stays cancelled.
  void record_sweep(const Spec& spec, const Expansion& expansion);

  // One entry a trial of the expansion, in its order; `cancelled` as the sweep of that name has it.
  std::vector<TrialHistory> histories(const Expansion& expansion,
                                      const std::string& sweep = "") const;

  // How long a change waits for another program's lock before it is a LockedError; kPatience of
  // open_database.h at first.
  void set_patience(std::chrono::milliseconds patience);

  // All of it in one transaction, durable when this returns; when it throws, it is as if none of it
  // had ever been. What is recorded already changes nothing. Returns how many outcomes that count
  // it took.
  std::size_t record(const std::vector<Change>& changes);

  // Until commit_group(), what is recorded is one transaction that one write to the disk makes
  // durable: nothing of it may be acknowledged before. commit_group() throws when it cannot be made
  // so; then all of it is as if it had never been.
  void begin_group();
  void commit_group();

  // The first of its files that somebody has removed, or in whose place another was put; empty
  // where all are as they were opened. Where that is the lock alone, the right to write is taken
  // anew; throws Error when another was quicker.
  std::string displaced() const;
  // Then: copies all that it holds into a new file beside the old name, or, where that cannot be,
  // into the folder for temporary files, and is that file's store from now on; path() says its
  // name. Where it throws (LockedError for another program's lock), nothing has changed, and it may
  // be tried again.
  void rescue();

  // The number that the next attempt gets; grows for ever, over all sweeps.
  std::int64_t next_lease() const;
  using Time = std::chrono::system_clock::time_point;
  // The trial must be one of a recorded sweep. `continued` is the checkpoint that it goes on from.
  void begin_attempt(const std::string& trial, std::int64_t lease, const WorkerFacts& worker,
                     const std::optional<ContinuedCheckpoint>& continued = std::nullopt,
                     Time at = std::chrono::system_clock::now());
  // An attempt that has ended already stays as it ended.
  void end_attempt(std::int64_t lease, AttemptState state, const std::string& error,
                   Time at = std::chrono::system_clock::now());

  // Outcome, evaluations and the attempt's new state in one transaction. False, and nothing is
  // written, when the lease is not the trial's and running, or when the trial has an outcome to
  // which this one adds no score. One that adds some replaces the earlier outcome, which is kept,
  // retired: at any time a trial's numbers are those of one attempt. A diverged outcome is never
  // replaced and replaces none. An outcome with status failed ends the attempt as `failed` and
  // stores no outcome.
  bool record_outcome(const Outcome& outcome, Time at = std::chrono::system_clock::now());
  // Rows of leases that are not running are dropped.
  void record_progress(const std::vector<Progress>& rows);

  // The latest sweep of that name; without a name the one that was last recorded.
  SweepResults results(const std::string& sweep = "", bool orphaned = false) const;
  std::vector<SweepStatus> status() const;  // the last recorded first
  std::vector<std::string> sweeps() const;  // the last recorded first

  // Takes in all that other files of this schema or an older one hold, in their order, or, where
  // one throws, nothing. Everything keeps its times and places; attempts are numbered anew. Of a
  // trial that both have with equal results one outcome stays; with different ones the rule
  // decides, and the other outcome is kept, retired. A file that was taken in before brings
  // nothing. Throws Error for a file that somebody writes, and with MergeRule::refuse one that
  // lists what differs.
  std::vector<MergedShard> merge(const std::vector<std::string>& shards, MergeRule rule);

  // Takes in what can be read of a damaged file, which stays as it is, into this new one: row by
  // row, and then what follows from that. A sweep's spec makes lost rows of its plan again, for
  // which find_source is asked as by expand(). Where it throws, nothing is taken in and this store
  // is of no more use.
  Recovered recover(const std::string& damaged, const FindSource& find_source);

  // Takes the failures of these trials back, so that they have all their attempts again, and
  // cancellations too; retires outcomes that diverged. Returns how many trials that changed.
  std::size_t retry(const std::vector<std::string>& trials);
  // Retires the outcomes of these trials, of that build alone unless it is empty: they stay in the
  // file, hidden, and the trials are run again. Returns how many.
  std::size_t forget(const std::vector<std::string>& trials, const std::string& build);
  // Takes these trials, as far as they have no outcome, out of all sweeps. Returns how many.
  std::size_t cancel(const std::vector<std::string>& trials);

  // Those of these trials that have no outcome that counts, in their order.
  std::vector<std::string> without_outcome(const std::vector<std::string>& trials) const;

  // Runs one statement that only reads; throws UsageError for any other, and for what SQLite does
  // not understand. The first form calls back once with the columns, then once a row.
  void query(const std::string& sql,
             const std::function<void(const std::vector<std::string>&)>& on_columns,
             const std::function<void(const Row&)>& on_row) const;
  struct Rows {
    std::vector<std::string> columns;
    std::vector<Row> values;
  };
  Rows query(const std::string& sql) const;
  // The rows alone, values as text; reals so that they read back.
  using Texts = std::vector<std::optional<std::string>>;
  std::vector<Texts> texts(const std::string& sql) const;
  // Of a statement of one column, with "" for null.
  std::vector<std::string> column(const std::string& sql) const;
  // A trial out of the column `config` that these gave.
  Trial read_trial(const std::string& config) const;

  // Folds the write-ahead log in, so that the one file is the result and copying it loses nothing;
  // while somebody reads, the log stays. The store can be used on.
  void close();

 private:
  void take_in_spool();
  // Of these, outcomes that count and are not there after record(): their attempts are not either.
  std::vector<std::string> lines_not_taken(const std::vector<Change>& changes);
  void end_interrupted(double last_held);
  void know_files();
  void move_into(const std::string& copy);

  std::string path_;
  std::vector<FileIdentity> files_;  // that it writes; none when reading
  std::unique_ptr<StoreLock> lock_;  // none when reading
  std::unique_ptr<SQLite::Database> database_;
  std::unique_ptr<Statements> statements_;  // none when reading
  bool grouped_ = false, is_new_ = false;
  std::size_t taken_in_ = 0, refused_ = 0;
  std::string refused_file_, damaged_log_;
};

}  // namespace occam
