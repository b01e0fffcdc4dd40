#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/message.h"
#include "experiments/spec.h"
#include "orchestrator/coordinator.h"
#include "results/store.h"

namespace occam {

// Histories of trials that no database knows.
std::vector<TrialHistory> no_histories(const Expansion& expansion);

// The missing trials of an expansion as tasks, with what a worker needs to start them.
struct MissingWork {
  std::vector<Task> tasks;
  std::vector<Start> starts;  // one a task; the lease is filled in when it starts
  // One a task: of a trial that has an outcome, the scores that it lacks; else empty.
  std::vector<std::vector<EvaluationRequest>> lacking;
  // How many of them, the last ones, have used up their attempts: nothing runs them until
  // `occam retry` gives them new ones.
  std::size_t failed = 0;
  std::size_t cancelled = 0;  // left out, though they lack something

  std::size_t to_run() const { return tasks.size() - failed; }
};
// How many of them are trained again, for scores that nobody had asked for.
std::size_t trained_again(const MissingWork& work);
// "6 to run: 1 new, 2 trained again for gde, 3 scored by kept features for nearest; 2 failed, 1
// cancelled"
std::string to_run_text(const MissingWork& work);
// What helps trials that have failed.
std::string retry_text(const std::string& database);
// What a changed spec means for the sweep of its name, in lines; empty for an unchanged or new one.
std::string drift_text(const SweepDrift& drift);

struct Wanted {
  std::function<bool(const PlannedTrial&)> trial = [](const PlannedTrial&) { return true; };
  std::size_t limit = static_cast<std::size_t>(-1);  // of trials to run
  std::int64_t max_attempts = CoordinatorOptions{}.max_attempts;
};
MissingWork missing_work(const Expansion& expansion, std::vector<TrialHistory> histories,
                         const std::filesystem::path& work, const Wanted& wanted = {});

// Where nobody can ask for a retry. How many there were.
std::size_t drop_failed(MissingWork& work);

}  // namespace occam
