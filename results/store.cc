#include "results/store.h"

#include <SQLiteCpp/Database.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "results/beside.h"
#include "results/file_identity.h"
#include "results/open_database.h"
#include "results/spool.h"
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

void end(Statements& database, std::int64_t lease, AttemptState state, const std::string& error,
         Store::Time at) {
  run(database,
      "UPDATE attempt SET state = ?, ended_at = " + kTime +
          ", error = ? WHERE lease = ? AND state = 'running'",
      to_string(state), seconds_of(at), error, lease);
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

void insert_outcome(Statements& database, const Outcome& outcome, std::int64_t attempt,
                    Store::Time at) {
  run(database,
      "UPDATE outcome SET retired_at = " + kTime + " WHERE trial = ? AND retired_at IS NULL",
      seconds_of(at), outcome.trial);
  run(database,
      "INSERT INTO outcome(trial, attempt, status, error, train_seconds, evaluate_seconds, steps, "
      "data, collapsed, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, " +
          kTime + ")",
      outcome.trial, attempt, to_string(outcome.status), outcome.error, outcome.train_seconds,
      outcome.evaluate_seconds, outcome.steps, outcome.data, outcome.collapsed, seconds_of(at));
  if (!outcome.build.empty())
    run(database, "UPDATE attempt SET build = ? WHERE lease = ?", outcome.build, outcome.lease);
  for (const Evaluation& one : outcome.evaluations)
    run(database, "INSERT INTO evaluation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        outcome.trial, attempt, to_string(one.request.split), to_string(one.request.features),
        to_string(one.request.classifier), parameters_text(one.request), one.auroc,
        one.average_precision, one.fpr95, one.outliers, one.inliers, one.seconds);
}

// Where a copy of what the database held may lie, the best place first; "XXXXXX" for what mkstemp
// is to put there.
std::vector<std::string> places_for_copy(const std::string& path) {
  const std::string own = path + ".rescued";
  std::vector<std::string> places{own, own + "-XXXXXX"};
  std::error_code none;
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(none);
  if (!none)
    places.push_back(temporary / (std::filesystem::path(own).filename().string() + "-XXXXXX"));
  return places;
}

// A new file's name, which is there, empty, when this returns.
std::string make_file(std::string name) {
  const int file = name.ends_with("-XXXXXX")
                       ? mkstemp(name.data())
                       : open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) throw Error(name + ": cannot be made (" + std::strerror(errno) + ")");
  ::close(file);
  return name;
}

// Beside a database in another's place would lie what is none of its own.
void check_are_of(Statements& database, const Spool& spool, const std::string& path) {
  for (const std::filesystem::path& file : spool.files())
    for (const Change& change : spool.waiting(file)) {
      const auto* outcome = std::get_if<Outcome>(&change.what);
      const auto* begun = std::get_if<AttemptBegun>(&change.what);
      if (!outcome && !begun) continue;
      const std::string& trial = outcome ? outcome->trial : begun->trial;
      if (Prepared(database, "SELECT 1 FROM trial WHERE id = ?", trial)->executeStep()) continue;
      const std::string name = shell_word(file.string());
      throw Error(file.string() + ": what waits there is of another database, with the trial " +
                  trial + ", which this one does not know; put that one in the place of " + path +
                  ", or move the spool away: mv " + name + " " + name + ".old");
    }
}

}  // namespace

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
      is_new_ = !std::filesystem::exists(path);
      if (left_log_is_damaged(path)) damaged_log_ = keep_log(path);
      try {
        explained(path, [&] {
          database_ = open_for_writing(path, journal);
          complete_tallies(*database_);
          statements_ = std::make_unique<Statements>(*database_);
          take_in_spool();
          end_interrupted(lock_->held_before());
          know_files();
        });
      } catch (...) {
        discard_new();
        throw;
      }
      return;
  }
}

void Store::discard_new() {
  if (!is_new_) return;
  statements_.reset();
  database_.reset();
  remove_database(path_);
  lock_.reset();
}

void Store::take_in_spool() {
  Spool spool(path_);
  const std::vector<Change> waiting = spool.waiting();
  check_are_of(*statements_, spool, path_);
  taken_in_ = record(waiting);
  std::vector<std::string> refused = spool.unreadable();
  for (std::string& line : lines_not_taken(waiting)) refused.push_back(std::move(line));
  refused_ = refused.size();
  if (refused_ > 0) refused_file_ = spool.put_away(refused).string();
  spool.clear();
}

std::vector<std::string> Store::lines_not_taken(const std::vector<Change>& changes) {
  std::vector<std::string> lines;
  for (const Change& change : changes) {
    const auto* outcome = std::get_if<Outcome>(&change.what);
    if (outcome && outcome->status != OutcomeStatus::failed &&
        !Prepared(*statements_,
                  "SELECT 1 FROM attempt a JOIN outcome o ON o.trial = a.trial AND o.attempt = "
                  "a.number WHERE a.lease = ? AND a.trial = ?",
                  outcome->lease, outcome->trial)
             ->executeStep())
      lines.push_back(to_line(change));
  }
  return lines;
}

std::string Store::opening_text() const {
  std::string text;
  if (!damaged_log_.empty())
    text +=
        path_ +
        "-wal: is damaged, and what it holds behind that is lost and run again; it is kept as " +
        damaged_log_ + "\n";
  if (taken_in_ > 0)
    text += std::to_string(taken_in_) + " outcomes taken in that an earlier run could not write\n";
  if (refused_ > 0)
    text += "not taken in: " + std::to_string(refused_) +
            " of the lines that an earlier run could not write: damaged, or of attempts that " +
            path_ + " does not know or that have ended there without them; kept in " +
            refused_file_ + ", and what lacks is run again\n";
  return text;
}

// The lock is ours, so whoever ran these is dead.
void Store::end_interrupted(double last_held) {
  run(*statements_,
      "UPDATE attempt SET state = 'interrupted', ended_at = " + end_of_interrupted() +
          " WHERE state = 'running'",
      last_held);
}

Store::~Store() = default;

Journal Store::journal() const {
  return explained(path_, [&] {
    return database_->execAndGet("PRAGMA journal_mode").getString() == "wal" ? Journal::wal
                                                                             : Journal::rollback;
  });
}

void Store::know_files() {
  files_ = {FileIdentity(path_)};
  if (journal() == Journal::wal)
    for (const char* const log : {"-wal", "-shm"}) files_.emplace_back(path_ + log);
}

std::string Store::displaced() const {
  for (const FileIdentity& file : files_)
    if (!file.in_place()) return file.path();
  lock_->hold();
  return "";
}

void Store::rescue() {
  std::string problems;
  for (const std::string& place : places_for_copy(path_)) {
    std::string copy;
    try {
      copy = make_file(place);
      return move_into(copy);
    } catch (const LockedError& problem) {
      remove_database(copy);
      throw LockedError(path_ + ": was removed, or another file put in its place, and what it " +
                        "held cannot be copied yet: " + problem.what());
    } catch (const Error& problem) {
      if (!copy.empty()) remove_database(copy);
      problems += std::string("\n  ") + problem.what();
    }
  }
  throw Error(path_ + ": was removed, or another file put in its place, and what it held can be " +
              "copied nowhere, so that it ends with this run:" + problems);
}

// Into the new file, which is the store's from now on; when this throws, the old one still is.
void Store::move_into(const std::string& copy) {
  const Journal kept = journal();
  auto lock = std::make_unique<StoreLock>(copy);
  std::unique_ptr<SQLite::Database> database;
  try {
    {
      SQLite::Database target(copy, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      copy_database(path_, *database_, target);
    }
    database = open_for_writing(copy, kept);
  } catch (const SQLite::Exception& problem) {
    throw Error(copy + ": cannot be written (SQLite: " + problem.what() + ")");
  }
  statements_ = std::make_unique<Statements>(*database);
  database_ = std::move(database);
  // A log that stays behind would be taken for that of whatever is put in the old one's place.
  if (!files_.front().in_place())
    for (const FileIdentity& file : files_)
      if (file.in_place()) std::filesystem::remove(file.path());
  path_ = copy;
  lock_ = std::move(lock);
  know_files();
}

std::int64_t Store::next_lease() const {
  return explained(path_, [&] {
    return database_
        ->execAndGet("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'attempt'")
        .getInt64();
  });
}

void Store::begin_attempt(const std::string& trial, std::int64_t lease, const WorkerFacts& worker,
                          const std::optional<ContinuedCheckpoint>& continued, Time at) {
  explained(path_, [&] {
    Step step(*statements_, grouped_);
    const int begun = run(
        *statements_,
        "INSERT INTO attempt(lease, trial, number, state, host, device, build, libraries, "
        "deterministic, revision, node, worker, job, restart_count, started_at) SELECT ?1, ?2, "
        "(SELECT coalesce(max(number), 0) + 1 FROM attempt WHERE trial = ?2), 'running', ?3, ?4, "
        "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, " +
            kTime + " WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE lease = ?1)",
        lease, trial, worker.host, worker.device, worker.build, worker.libraries,
        static_cast<int>(worker.deterministic), worker.revision, worker.node, worker.number,
        worker.job, worker.restart_count, seconds_of(at));
    if (continued && begun > 0)
      run(*statements_,
          "UPDATE attempt SET continued = ?, continued_at = " + kTime + " WHERE lease = ?",
          continued->lease, seconds_of(continued->saved_at), lease);
    step.commit();
  });
}

void Store::end_attempt(std::int64_t lease, AttemptState state, const std::string& error, Time at) {
  explained(path_, [&] {
    Step step(*statements_, grouped_);
    end(*statements_, lease, state, error, at);
    step.commit();
  });
}

bool Store::record_outcome(const Outcome& outcome, Time at) {
  return explained(path_, [&] {
    Step step(*statements_, grouped_);
    const auto attempt = running_attempt(*statements_, outcome.lease);
    if (!attempt || attempt->trial != outcome.trial) return false;
    if (outcome.status == OutcomeStatus::failed) {
      end(*statements_, outcome.lease, AttemptState::failed, outcome.error, at);
    } else {
      if (!adds_something(*statements_, outcome)) return false;
      insert_outcome(*statements_, outcome, attempt->number, at);
      end(*statements_, outcome.lease, AttemptState::completed, outcome.error, at);
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

std::size_t Store::record(const std::vector<Change>& changes) {
  if (changes.empty()) return 0;
  std::size_t taken = 0;
  begin_group();
  try {
    // So that a reader's lock on a rollback journal shows at once, and not when all has been done.
    explained(path_, [&] {
      run(*statements_, "BEGIN EXCLUSIVE");
      carry_mark(*database_);
    });
    for (const auto& [what, at] : changes) {
      if (const auto* begun = std::get_if<AttemptBegun>(&what))
        begin_attempt(begun->trial, begun->lease, begun->worker, begun->continued, at);
      else if (const auto* ended = std::get_if<AttemptEnded>(&what))
        end_attempt(ended->lease, ended->state, ended->error, at);
      else if (const auto* progress = std::get_if<Progress>(&what))
        record_progress({*progress});
      else if (const auto* outcome = std::get_if<Outcome>(&what))
        taken += record_outcome(*outcome, at) && outcome->status != OutcomeStatus::failed;
    }
  } catch (const Error&) {
    grouped_ = false;
    database_->tryExec("ROLLBACK");
    throw;
  }
  commit_group();
  return taken;
}

void Store::set_patience(std::chrono::milliseconds patience) {
  database_->setBusyTimeout(static_cast<int>(patience.count()));
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
    know_files();
  });
}

}  // namespace occam
