#include "orchestrator/missing_work.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/cost.h"
#include "experiments/error.h"

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

MissingWork missing_work(const Expansion& expansion, const std::vector<TrialHistory>& histories,
                         const std::filesystem::path& work,
                         const std::function<bool(const Trial&)>& wanted, std::size_t limit) {
  MissingWork missing;
  const std::vector<std::int64_t> ranks = seed_ranks(expansion);
  for (std::size_t i = 0; i < expansion.trials.size(); ++i) {
    const Trial& trial = expansion.trials[i].trial;
    const TrialHistory& history = histories[i];
    if (history.missing.empty() && history.outcome) continue;
    if (history.outcome == OutcomeStatus::diverged || history.cancelled) continue;
    if (!wanted(trial) || missing.tasks.size() == limit) continue;
    const std::string id = id_of(trial);
    missing.tasks.push_back(
        {id, ranks[i], training_macs(trial) + evaluation_macs(trial, history.missing),
         is_trained(trial) ? images_per_step(trial) : 1, history.failed_attempts});
    missing.starts.push_back({id, trial, history.missing, 0, history.leases, work / id});
    missing.lacking.push_back(history.outcome ? history.unrecorded
                                              : std::vector<EvaluationRequest>{});
  }
  return missing;
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
  for (std::size_t i = 0; i < work.starts.size(); ++i) {
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
  std::string text = fmt::format("{} to run", work.tasks.size());
  const Lacking again = lacking(work, false), scored = lacking(work, true);
  if (again.trials + scored.trials == 0) return text;
  text += fmt::format(": {} new", work.tasks.size() - again.trials - scored.trials);
  if (again.trials > 0)
    text += fmt::format(", {} trained again for {}", again.trials, joined(again.classifiers));
  if (scored.trials > 0)
    text += fmt::format(", {} scored by kept features for {}", scored.trials,
                        joined(scored.classifiers));
  return text;
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
  if (drift.orphaned_outcomes > 0)
    text += fmt::format(
        "  {} orphaned trials have results, which stay: occam table --orphaned shows them; a spec "
        "with another name keeps both sweeps\n",
        drift.orphaned_outcomes);
  return text;
}

}  // namespace occam
