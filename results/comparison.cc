#include "results/comparison.h"

#include <cmath>
#include <set>
#include <stdexcept>

namespace occam {
namespace {

struct Common {
  std::set<std::int64_t> seeds;
  std::set<ClassTask> tasks;
};

// Every seed with every task. Where a score lacks, its task is left out or its seed, whichever
// keeps more: a seed that has only begun costs itself, not the tasks that it lacks yet.
Common common_of(const Scores& one, const Scores& other) {
  std::map<ClassTask, std::set<std::int64_t>> seeds_of;
  std::map<std::int64_t, std::set<ClassTask>> tasks_of;
  for (const auto& [key, score] : one)
    if (other.count(key) > 0) {
      seeds_of[key.second].insert(key.first);
      tasks_of[key.first].insert(key.second);
    }
  Common all_seeds, all_tasks;
  for (const auto& [seed, tasks] : tasks_of) {
    all_seeds.seeds.insert(seed);
    if (tasks.size() == seeds_of.size()) all_tasks.seeds.insert(seed);
  }
  for (const auto& [task, seeds] : seeds_of) {
    all_tasks.tasks.insert(task);
    if (seeds.size() == tasks_of.size()) all_seeds.tasks.insert(task);
  }
  const auto size = [](const Common& common) { return common.seeds.size() * common.tasks.size(); };
  return size(all_tasks) > size(all_seeds) ? all_tasks : all_seeds;
}

double rounded(double value) { return std::round(value * 1e12) / 1e12; }

}  // namespace

PairedDifferences paired_differences(const Scores& one, const Scores& other, Claim claim) {
  const Common common = common_of(one, other);
  PairedDifferences paired;
  if (common.tasks.empty() || common.seeds.empty()) return paired;
  paired.seeds = static_cast<std::int64_t>(common.seeds.size());
  paired.tasks = static_cast<std::int64_t>(common.tasks.size());
  const auto difference = [&](std::int64_t seed, const ClassTask& task) {
    return one.at({seed, task}) - other.at({seed, task});
  };
  switch (claim) {
    case Claim::seeds:
      for (const std::int64_t seed : common.seeds) {
        double sum = 0;
        for (const ClassTask& task : common.tasks) sum += difference(seed, task);
        paired.values.push_back(rounded(sum / static_cast<double>(paired.tasks)));
      }
      return paired;
    case Claim::tasks:
      for (const ClassTask& task : common.tasks) {
        double sum = 0;
        for (const std::int64_t seed : common.seeds) sum += difference(seed, task);
        paired.values.push_back(rounded(sum / static_cast<double>(paired.seeds)));
      }
      return paired;
  }
  throw std::logic_error("unknown claim");
}

Comparison compare(const Scores& one, const Scores& other, Claim claim) {
  const PairedDifferences paired = paired_differences(one, other, claim);
  Comparison found;
  found.claim = claim;
  found.seeds = paired.seeds;
  found.tasks = paired.tasks;
  const auto used = static_cast<std::size_t>(paired.seeds * paired.tasks);
  found.whole = used == one.size() && used == other.size();
  if (paired.values.empty()) return found;
  found.mean = mean_of(paired.values);
  found.deviation = sample_deviation(paired.values);
  const auto test = claim == Claim::seeds ? paired_t(paired.values) : signed_rank(paired.values);
  if (!test) {
    found.estimate = found.mean;
    return found;
  }
  found.estimate = test->estimate;
  found.interval = test->interval;
  found.statistic = test->statistic;
  found.least_p = test->least_p;
  if (test->least_p <= 0.05) found.p = test->p;
  return found;
}

std::string description(Claim claim) {
  switch (claim) {
    case Claim::seeds:
      return "these tasks, new seeds: paired t over the per-seed means of the classes";
    case Claim::tasks:
      return "new tasks: exact Wilcoxon signed ranks over the per-class means of the seeds";
  }
  throw std::logic_error("unknown claim");
}

}  // namespace occam
