#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/table.h"

namespace occam {

// How many seeds bring every difference of a table to its baseline to an interval of at most ± a
// half-width. Planned by the deviations of the differences, never by their p, so that running the
// plan biases no test.
struct SeedPlan {
  std::vector<std::int64_t> seeds;  // of every arm: those there are, and more
  std::int64_t have = 0;
  double widest = 0;         // half-width now, of the difference that needs most
  std::string widest_place;  // of that
  std::string spec;          // the sweep's spec with these seeds in every arm
  std::int64_t trials = 0;   // that it adds
};

// `table` must have a baseline and be of the claim on seeds. Throws UsageError where it has none,
// or where a difference has no deviation to plan by or would need more than 10,000 seeds, where the
// spec's seeds move with other fields, or where the results are of several specs.
SeedPlan plan_seeds(const Table& table, const SweepResults& sweep, double half_width);

// A spec with these seeds in every arm, as JSON.
std::string with_seeds(const std::string& spec, const std::vector<std::int64_t>& seeds);

}  // namespace occam
