#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/spec.h"

namespace occam {

// A spec's tables as the text that the store keeps, and back.
std::string tables_to_json(const std::vector<std::pair<std::string, TableSpec>>& tables);
std::vector<std::pair<std::string, TableSpec>> tables_from_json(const std::string& text);

}  // namespace occam
