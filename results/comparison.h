#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "results/statistics/paired.h"
#include "results/table_entry.h"

namespace occam {

// Scores in [0, 1] of one arm, by seed and task.
using Scores = std::map<std::pair<std::int64_t, ClassTask>, double>;

// One arm less another, over seeds and tasks that both have all scores of: where some lack, either
// the tasks or the seeds that lack them are left out, whichever keeps more scores.
struct Comparison {
  Claim claim = Claim::seeds;
  std::int64_t seeds = 0, tasks = 0;   // that both have
  std::optional<double> mean;          // of all differences, in [-1, 1]
  std::optional<double> estimate;      // the test's: that mean, or Hodges and Lehmann's median
  std::optional<Interval> interval;    // 95 %, of the estimate
  std::optional<double> p, corrected;  // none where no p can be had, or none under 5 %
  std::optional<double> deviation;     // sample deviation of the differences
  bool whole = false;                  // no score of either side is left out
  double statistic = 0;
  double least_p = 0;
};

// The claim's differences: one a seed (its mean over the tasks), or one a task (over the seeds).
// Differences that agree to 12 digits are equal, so that ties on paper are ties here.
struct PairedDifferences {
  std::int64_t seeds = 0, tasks = 0;
  std::vector<double> values;
};
PairedDifferences paired_differences(const Scores& one, const Scores& other, Claim claim);

Comparison compare(const Scores& one, const Scores& other, Claim claim);

// "these tasks, new seeds: paired t over the per-seed means"
std::string description(Claim claim);

}  // namespace occam
