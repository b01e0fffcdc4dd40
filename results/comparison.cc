#include "results/comparison.h"

#include <cmath>
#include <set>
#include <stdexcept>

namespace occam {
namespace {

struct Common {
  std::set<std::int64_t> seeds;
  std::set<Task> tasks;
};

Common common_of(const Scores& one, const Scores& other) {
  std::map<Task, std::set<std::int64_t>> seeds_of;
  Common common;
  for (const auto& [key, auroc] : one)
    if (other.count(key) > 0) {
      seeds_of[key.second].insert(key.first);
      common.seeds.insert(key.first);
    }
  for (const auto& [task, seeds] : seeds_of)
    if (seeds == common.seeds) common.tasks.insert(task);
  return common;
}

double rounded(double value) { return std::round(value * 1e12) / 1e12; }

}  // namespace

PairedDifferences paired_differences(const Scores& one, const Scores& other, Claim claim) {
  const Common common = common_of(one, other);
  PairedDifferences paired;
  if (common.tasks.empty()) return paired;
  paired.seeds = static_cast<std::int64_t>(common.seeds.size());
  paired.tasks = static_cast<std::int64_t>(common.tasks.size());
  const auto difference = [&](std::int64_t seed, const Task& task) {
    return one.at({seed, task}) - other.at({seed, task});
  };
  switch (claim) {
    case Claim::seeds:
      for (const std::int64_t seed : common.seeds) {
        double sum = 0;
        for (const Task& task : common.tasks) sum += difference(seed, task);
        paired.values.push_back(rounded(sum / static_cast<double>(paired.tasks)));
      }
      return paired;
    case Claim::tasks:
      for (const Task& task : common.tasks) {
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
