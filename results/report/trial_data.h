#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// All that a report says of single trials, with every text and number once.
struct TrialData {
  std::vector<std::string> varying;  // columns of the view trials in which the trials differ
  nlohmann::json constant;           // the others, with their values
  std::vector<std::string>
      scores;  // what was scored, in the spec's order: "pool kde", "pool kde {…}"
  // In the order of the sweep, each {"id", "row": values of `varying`, "auroc": of `scores`,
  // "scores": [[index, auroc, average precision, fpr95, outliers, inliers, seconds], …],
  // "attempts": [{…}], "outcome": {…}, "curve": [[epoch, loss, accuracy], …]}.
  nlohmann::json trials;
};

// Rates to six digits; of a longer curve some 60 points.
TrialData trial_data(const Store& store, const SweepResults& sweep);

}  // namespace occam
