// The sweep's part that is about recording: in the database, the spool, or a copy of the database.
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "experiments/error.h"
#include "orchestrator/sweep.h"

namespace occam {

void Sweep::commit() {
  if (write_failure_.empty() && !locked_since_) try_to_record();
  spool();
  events_.flush();
}

void Sweep::try_to_record() {
  if (unrecorded_.empty() && !locked_since_) return;
  if (!mind_the_files()) return;
  const std::size_t outcomes = outcomes_in(unrecorded_);
  try {
    if (store_.record(unrecorded_) < outcomes)
      throw Error(store_.path() + ": does not take an outcome of this run; has another one begun?");
  } catch (const LockedError& problem) {
    return wait_for_lock(problem.what());
  } catch (const Error& problem) {
    return cannot_write(problem.what());
  }
  // Only now is a checkpoint no longer needed, unless for more scores.
  std::error_code ignored;
  for (const Change& change : unrecorded_)
    if (const auto* outcome = std::get_if<Outcome>(&change.what);
        outcome && outcome->status != OutcomeStatus::failed &&
        done_[task_of_trial_.at(outcome->trial)])
      std::filesystem::remove_all(options_.work / outcome->trial, ignored);
  unrecorded_.clear();
  if (std::exchange(spooled_, 0) > 0) spool_.clear();
  locked_since_.reset();
  if (std::exchange(told_of_lock_, false))
    progress_.say(fmt::format("{}: can be written again, and has taken in {} outcomes",
                              store_.path(), outcomes));
}

// Who writes a file without a name writes for nobody. Whether the database has one, its own or a
// copy's.
bool Sweep::mind_the_files() {
  if (!write_failure_.empty()) return false;
  std::string gone;
  try {
    gone = store_.displaced();
  } catch (const Error& problem) {
    cannot_write(problem.what());
    return false;
  }
  nameless_ = !gone.empty();
  if (!nameless_) return true;
  drain("the database was removed or replaced");
  try {
    store_.rescue();
  } catch (const Error& problem) {
    // As long as this run lives, so does the file: a lock may go, and a full disk be emptied.
    wait_for_lock(problem.what());
    return false;
  }
  nameless_ = false;
  displaced_ = fmt::format(
      "{}: was removed, or another file put in its place, while this run wrote it; all that was "
      "recorded is in {}\n  to go on: {}mv {} {}, and the same command again",
      gone, store_.path(),
      std::filesystem::exists(database_) ? "give what has its name now another, then " : "",
      shell_word(store_.path()), shell_word(database_));
  progress_.say(displaced_);
  return true;
}

// What the database has not taken, as far as it is not there yet.
void Sweep::spool() {
  if (spooled_ == unrecorded_.size()) return;
  const auto first = unrecorded_.begin() + static_cast<std::ptrdiff_t>(spooled_);
  try {
    spool_file_ = spool_.keep({first, unrecorded_.end()});
    spooled_ = unrecorded_.size();
  } catch (const Error& problem) {
    if (spool_problem_ != problem.what()) progress_.say(problem.what());
    spool_problem_ = problem.what();  // their checkpoints are still there
  }
}

// Nothing of the group can be trusted to be there; what is, the next open finds twice and takes
// once.
void Sweep::cannot_write(const std::string& problem) {
  write_failure_ = problem;
  locked_since_.reset();
  progress_.say(problem);
  drain("the database cannot be written");
}

void Sweep::wait_for_lock(const std::string& problem) {
  lock_problem_ = problem;
  if (!locked_since_) locked_since_ = ticked_;
}

// Readers come and go; only a lock that stays is worth a word.
void Sweep::mind_the_lock(Time now) {
  constexpr std::chrono::seconds kTryEvery{1}, kTellAfter{5}, kWaitAtTheEnd{10};
  if (!locked_since_ || now - tried_ < kTryEvery) return;
  tried_ = now;
  try_to_record();
  if (!locked_since_) return;
  const std::string file = spool_file_.empty() ? "memory" : spool_file_;
  if (!told_of_lock_ && now - *locked_since_ >= kTellAfter) {
    told_of_lock_ = true;
    events_.add("locked", {{"reason", lock_problem_}});
    progress_.say(lock_problem_ + (nameless_ ? "\n  free some space, or end what keeps it locked"
                                             : "\n  the training goes on, and its outcomes wait "
                                               "in " +
                                                   file));
  }
  if (!all_left()) return;
  if (!waited_since_) {
    waited_since_ = now;
    progress_.say(fmt::format("{}\n  waiting {} s for that before this run ends", lock_problem_,
                              kWaitAtTheEnd.count()));
  }
  if (now - *waited_since_ < kWaitAtTheEnd) return;
  write_failure_ = lock_problem_;
  locked_since_.reset();
}

void Sweep::check_recorded() {
  if (!write_failure_.empty()) throw Error(write_failure_);
  if (locked_since_) throw Error(lock_problem_);
}

std::string Sweep::write_failure() const {
  if (write_failure_.empty() || spooled_ == 0) return write_failure_;
  return fmt::format("{}\n  {} outcomes wait in {}, from where the next occam run takes them in{}",
                     write_failure_, outcomes_in(unrecorded_), spool_file_,
                     nameless_ ? " beside a copy of the database that was there" : "");
}

void Sweep::record_curves() {
  std::move(curves_.begin(), curves_.end(), std::back_inserter(unrecorded_));
  curves_.clear();
}

}  // namespace occam
