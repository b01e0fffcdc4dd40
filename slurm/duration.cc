#include "slurm/duration.h"

#include <algorithm>
#include <vector>

#include "experiments/number.h"

namespace occam {

std::optional<std::int64_t> slurm_seconds(const std::string& text) {
  std::string rest = text;
  std::int64_t days = 0;
  const std::size_t dash = text.find('-');
  const bool has_days = dash != std::string::npos;
  if (has_days) {
    if (!read_number(std::string_view(text).substr(0, dash), days)) return std::nullopt;
    rest = text.substr(dash + 1);
  }
  std::vector<std::int64_t> parts;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t end = std::min(rest.find(':', begin), rest.size());
    std::int64_t part = 0;
    if (!read_number(std::string_view(rest).substr(begin, end - begin), part) || part < 0)
      return std::nullopt;
    parts.push_back(part);
    begin = end + 1;
  }
  if (parts.size() > 3 || days < 0) return std::nullopt;
  // After days the first is hours; without, one or two begin with minutes.
  if (!has_days && parts.size() < 3) parts.insert(parts.begin(), 0);
  parts.resize(3);
  return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
}

}  // namespace occam
