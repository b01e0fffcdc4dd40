#pragma once

#include <string>
#include <vector>

#include "results/arms.h"

namespace occam {

// What one `occam compare` says.
struct CompareRequest {
  std::string database, sweep, output;
  std::vector<Arm> arms;
  ArmsOptions options;
  bool json = false;
  // The words that say the same again: without database and output.
  std::vector<std::string> query;
  bool helped = false;
};

// Throws UsageError for what is no option, field or value.
CompareRequest compare_request(const std::vector<std::string>& words);

std::string said(const CompareRequest& request, const SweepResults& results);

}  // namespace occam
