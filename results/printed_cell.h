#pragma once

#include <string>
#include <string_view>

#include "results/table.h"

namespace occam {

// A rate as a percentage with one decimal: what tables print and compare by.
std::string percent(double rate);

// "5x10" (seeds x classes) of a complete cell; of an incomplete one what it has of what:
// "9/10 classes", "4/5 seeds", "43/50"; and "1 diverged", "2 failed".
std::string counts(const Cell& cell);

// Columns that the text takes on a terminal, of valid UTF-8.
std::size_t display_width(std::string_view text);

}  // namespace occam
