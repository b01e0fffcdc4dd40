#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace occam {

// Twice the rank 1…n of each value, ties sharing their mean rank, so that all are whole.
std::vector<std::int64_t> doubled_mean_ranks(std::span<const double> values);

}  // namespace occam
