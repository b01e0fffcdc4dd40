#pragma once

#include <string>
#include <vector>

#include "results/comparison.h"
#include "results/statistics/several.h"
#include "results/store.h"

namespace occam {

// One side of a comparison: what its trials and scores have in common.
struct Arm {
  std::string name;  // as the user wrote it
  Where where;
};

struct ArmsOptions {
  Where where;  // of all arms
  Metric metric = Metric::auroc;
  bool mean = false;  // over the tasks of all data sets
  bool pool = false;
};

// The first arm against each of the others, by both claims; p corrected by Holm within each claim.
struct ArmsComparison {
  struct Pair {
    std::string name;                 // of the other arm
    double one = 0, other = 0;        // their means over the seeds and classes that both have
    Comparison seeds, tasks;          // of the first less the other
    std::int64_t wins = 0, ties = 0;  // of the first, over the tasks
    std::optional<double> flips_p;    // sign flips over the tasks
    std::vector<std::string> also;    // fields beside the arms' own in which the two differ
  };
  Metric metric = Metric::auroc;
  std::string first;
  std::vector<Pair> pairs;
  std::size_t seeds_family = 0, tasks_family = 0;  // how many p Holm corrected for each claim
  std::optional<FriedmanTest> friedman;  // of three arms or more, over the tasks that all have
  std::vector<std::string> notes;
};

// Throws UsageError for an arm that nothing matches, or that would mix trials, builds or data.
ArmsComparison compare_arms(const SweepResults& sweep, const std::vector<Arm>& arms,
                            const ArmsOptions& options);

// The sentences for the paper.
std::string sentences(const ArmsComparison& comparison);
std::string to_json_text(const ArmsComparison& comparison);

}  // namespace occam
