#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "results/comparison.h"
#include "results/table_entry.h"

namespace occam {

// What print says of the same training and classifier, and how far this is from it.
struct AgainstPublished {
  double mean;                      // in print; as rates in [0, 1]
  std::optional<double> deviation;  // average over the classes of each one's; none is in print
  std::string source;               // "Table 8"
  std::string budget;               // "20 of 2048 epochs"
  bool same_budget;
  std::optional<double> difference;  // ours less theirs
  std::optional<Interval> interval;  // 95 %
};

// How long trainings are, from the shortest to the longest.
struct Updates {
  std::int64_t least, most;
};

// One group of results: for each seed the mean over its tasks (classes), then over the seeds.
struct Cell {
  std::optional<double> mean;       // in [0, 1]; none when incomplete and not partial, or empty
  std::optional<double> deviation;  // sample deviation (n-1) of the per-seed means; none below 2
  std::optional<double> ci95;       // half the width of their 95 % t interval
  std::optional<double> paper_deviation;  // mean over the tasks of each one's over its seeds
  // "classes" are tasks: classes of one data set, or of several.
  std::int64_t seeds = 0, classes = 0;                    // found
  std::int64_t expected_seeds = 0, expected_classes = 0;  // planned in this sweep for this cell
  std::int64_t count = 0, expected = 0;                   // (seed, class) pairs found and planned
  std::int64_t diverged = 0, failed = 0, collapsed = 0;
  std::optional<double> mean_with_collapsed;  // where they were left out of `mean`
  bool applies = true;  // false: no trial of the sweep is planned to bring such a score
  bool best = false;    // of the cells that it competes with, by the printed precision; ties share
  bool second = false;  // next below the best, of three or more
  bool is_baseline = false;
  std::optional<Comparison> difference;  // from the baseline
  std::optional<AgainstPublished> published;
  // Of its planned trainings; none where a score needs no training.
  std::optional<Updates> updates;
  std::string builds, data;  // what made its scores; parted by " | " where they are several
  std::string chosen;        // "learning_rate=0.02": of several settings, this one
  std::string chosen_on;     // "validation" or "test" with `chosen`
};

// The ± of a cell.
std::optional<double> spread_of(const Cell& cell, Spread spread);

struct CellOptions {
  bool partial = false;            // give incomplete cells a mean
  bool pool = false;               // average scores of one seed and class; else the first counts
  bool exclude_collapsed = false;  // from mean and count
};

Cell cell_of(const TableEntries& entries, const CellOptions& options);

// The scores of a cell, as comparisons need them.
Scores scores_of(const TableEntries& entries, const CellOptions& options);

}  // namespace occam
