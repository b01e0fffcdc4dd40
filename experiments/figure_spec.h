#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/metric.h"

namespace occam {

struct JsonNode;

// How results become a picture; the same words as `occam plot`'s options. Which axes go together is
// for who draws it to say.
struct FigureSpec {
  std::string kind;  // lines, bars, heat, curves; "" is what the fields suggest
  std::string x, y;
  std::vector<std::string> by;
  std::vector<std::pair<std::string, std::vector<std::string>>> where;  // field, accepted values
  std::string caption;
  std::optional<Metric> metric;
};

// A spec's figure. Throws UsageError with file, line and path.
FigureSpec figure_spec(const JsonNode& node);

}  // namespace occam
