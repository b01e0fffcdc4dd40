#pragma once

#include <vector>

#include "experiments/evaluation.h"

namespace occam {

// Bytes of one checkpoint of the trial: its weights, their velocity and the norms' statistics.
double checkpoint_bytes(const Trial& trial);

// Bytes of the features that the trial leaves for later scores: of the rows that classifiers are
// fitted on and of those that the requests score.
double kept_bytes(const Trial& trial, const std::vector<EvaluationRequest>& requests);

// The released code fits its classifiers on at most so many train rows, drawn at random
// (data/cifar.py:226-231).
inline constexpr std::int64_t kMostFitRows = 20'000;

}  // namespace occam
