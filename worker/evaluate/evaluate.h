#pragma once

#include <functional>
#include <vector>

#include "experiments/evaluation.h"
#include "worker/evaluate/features.h"

namespace occam {

// One request's answer, and the scores behind it: one a row of its split, the first rows_scored.
struct ScoredRequest {
  Evaluation evaluation;
  std::vector<double> scores;
};

// All requested scores. `on_part` hears how many parts of the work are done (one-class scores have
// several, a rotation score is one), and may throw to stop. Throws Error, with the features' name,
// for features that are not finite and for a kernel so narrow that all scores are 0.
std::vector<ScoredRequest> evaluate(const TrialFeatures& features,
                                    const std::vector<EvaluationRequest>& requests,
                                    const std::function<void(std::int64_t)>& on_part);

}  // namespace occam
