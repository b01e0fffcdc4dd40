#include "orchestrator/missing_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "orchestrator/gang_plan.h"

namespace occam {

std::vector<TrialHistory> no_histories(const Expansion& expansion) {
  std::vector<TrialHistory> histories;
  for (const PlannedTrial& planned : expansion.trials)
    histories.push_back({0,
                         {},
                         std::nullopt,
                         applicable(expansion.evaluations[planned.evaluations], planned.trial)});
  return histories;
}

namespace {

void add(MissingWork& to, const PlannedTrial& planned, TrialHistory& history,
         std::int64_t seed_rank, const std::filesystem::path& work) {
  const Trial& trial = planned.trial;
  const std::string id = planned.id();
  to.tasks.push_back({id, seed_rank, training_macs(trial) + evaluation_macs(trial, history.missing),
                      full_images_per_step(trial), history.failed_attempts});
  if (planned.gpus != kAutoGpus)
    to.tasks.back().gpus = planned.gpus;
  else
    to.tasks.back().most_gpus = largest_gang(trial);
  to.lacking.push_back(history.outcome ? std::move(history.unrecorded)
                                       : std::vector<EvaluationRequest>{});
  to.starts.push_back(
      {id, trial, std::move(history.missing), 0, std::move(history.leases), work / id});
}

}  // namespace

MissingWork missing_work(const Expansion& expansion, std::vector<TrialHistory> histories,
                         const std::filesystem::path& work, const Wanted& wanted) {
  MissingWork missing;
  std::vector<std::size_t> failed;
  const std::vector<std::int64_t> ranks = seed_ranks(expansion);
  for (std::size_t i = 0; i < expansion.trials.size(); ++i) {
    TrialHistory& history = histories[i];
    if (history.missing.empty() && history.outcome) continue;
    if (history.outcome == OutcomeStatus::diverged) continue;
    if (!wanted.trial(expansion.trials[i])) continue;
    if (history.cancelled) {
      ++missing.cancelled;
      continue;
    }
    if (history.failed_attempts >= wanted.max_attempts)
      failed.push_back(i);
    else if (missing.tasks.size() < wanted.limit)
      add(missing, expansion.trials[i], history, ranks[i], work);
  }
  for (const std::size_t i : failed)
    add(missing, expansion.trials[i], histories[i], ranks[i], work);
  missing.failed = failed.size();
  return missing;
}

std::size_t drop_failed(MissingWork& work) {
  work.tasks.resize(work.to_run());
  work.starts.resize(work.tasks.size());
  work.lacking.resize(work.tasks.size());
  return std::exchange(work.failed, 0);
}

namespace {

// The trials that have an outcome and lack scores, trained again or scored by kept features, and
// the classifiers that they lack.
struct Lacking {
  std::size_t trials = 0;
  std::vector<std::string> classifiers;
};

Lacking lacking(const MissingWork& work, bool score_only) {
  Lacking found;
  for (std::size_t i = 0; i < work.to_run(); ++i) {
    if (work.lacking[i].empty() || work.starts[i].keep.score_only != score_only) continue;
    ++found.trials;
    for (const EvaluationRequest& one : work.lacking[i]) {
      const std::string name = to_string(one.classifier);
      if (std::find(found.classifiers.begin(), found.classifiers.end(), name) ==
          found.classifiers.end())
        found.classifiers.push_back(name);
    }
  }
  return found;
}

}  // namespace

std::size_t trained_again(const MissingWork& work) { return lacking(work, false).trials; }

std::string to_run_text(const MissingWork& work) {
  std::string text = fmt::format("{} to run", work.to_run());
  const Lacking again = lacking(work, false), scored = lacking(work, true);
  const bool parts = again.trials + scored.trials > 0;
  if (parts) text += fmt::format(": {} new", work.to_run() - again.trials - scored.trials);
  if (again.trials > 0)
    text += fmt::format(", {} trained again for {}", again.trials, joined(again.classifiers));
  if (scored.trials > 0)
    text += fmt::format(", {} scored by kept features for {}", scored.trials,
                        joined(scored.classifiers));
  const char* between = parts ? ";" : ",";
  if (work.failed > 0)
    text += fmt::format("{} {} failed", std::exchange(between, ","), work.failed);
  if (work.cancelled > 0) text += fmt::format("{} {} cancelled", between, work.cancelled);
  return text;
}

std::string retry_text(const std::string& database) {
  return "occam retry " + shell_word(database) + " gives failed trials all their attempts again";
}

std::string drift_text(const SweepDrift& drift) {
  if (!drift.changed()) return "";
  std::string text = fmt::format(
      "the spec has changed since this sweep was last run: {} trials kept, {} new, {} "
      "orphaned\n",
      drift.kept, drift.added, drift.orphaned);
  const auto list = [&](const char* what, const std::vector<std::string>& examples,
                        std::size_t count) {
    for (const std::string& one : examples) text += fmt::format("  {}: {}\n", what, one);
    if (count > examples.size()) text += fmt::format("  … and {} more\n", count - examples.size());
  };
  list("new", drift.added_examples, drift.added);
  list("orphaned", drift.orphaned_examples, drift.orphaned);
  if (drift.fewer_scores > 0)
    text += fmt::format("  of {} kept trials it asks for fewer scores; those recorded stay\n",
                        drift.fewer_scores);
  if (drift.orphaned_outcomes > 0)
    text += fmt::format(
        "  {} orphaned trials have results, which stay: occam table --orphaned shows them, with "
        "the fields that have changed among --rows and --columns; a spec with another name keeps "
        "both "
        "sweeps\n",
        drift.orphaned_outcomes);
  return text;
}

}  // namespace occam
