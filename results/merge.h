#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/names.h"

namespace occam {

// What to keep where two files say different things of one trial, or of one sweep's spec: nothing
// (the merge is refused), what the file named first says, or what was recorded last.
enum class MergeRule { refuse, first, latest };
template <>
std::span<const std::string_view> names_of<MergeRule>();

// What one file brought.
struct MergedShard {
  std::string path;
  std::int64_t sweeps = 0, trials = 0, attempts = 0;  // that were not there
  std::int64_t outcomes = 0;                          // that are now their trial's
  std::int64_t equal = 0;                // outcomes whose trial had one with equal results
  std::vector<std::string> differences;  // that the rule decided, one a line
};

}  // namespace occam
