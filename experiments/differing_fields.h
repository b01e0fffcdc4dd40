#pragma once

#include <cstddef>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// Places in field_names() of the fields whose values differ, or that apply to one trial alone.
std::vector<std::size_t> differing_fields(const Trial& a, const Trial& b);

}  // namespace occam
