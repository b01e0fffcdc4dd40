#pragma once

#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// Several sweeps, of one database or of several, as one: the plan of the first, then what the
// others plan beside it; what one of them lacks and another has is there. Throws UsageError where
// two hold different scores of one trial, unless `pool`, when the first counts.
SweepResults combined(std::vector<SweepResults> sweeps, bool pool = false);

}  // namespace occam
