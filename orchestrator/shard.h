#pragma once

#include <string>
#include <unordered_set>

#include "experiments/spec.h"

namespace occam {

// A part of a sweep: number 1…count of `count` parts.
struct Shard {
  int number = 1, count = 1;
};
// "2/4". Throws UsageError.
Shard parse_shard(const std::string& text);

// Ids of the trials of a part: dealt out from the longest to the shortest, so that the parts take
// about as long. Together the parts are the sweep, and none shares a trial with another.
std::unordered_set<std::string> trials_of(const Shard& shard, const Expansion& expansion);

}  // namespace occam
