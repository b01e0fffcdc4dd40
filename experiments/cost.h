#pragma once

#include "experiments/evaluation.h"

namespace occam {

// Multiply-accumulates of one image's forward pass through the trial's network.
double forward_macs(const Trial& trial);

// Work of the whole training in multiply-accumulates (backward counts twice the forward): what
// trials are ordered and durations predicted by.
double training_macs(const Trial& trial);

// Forward passes that the features of the requests need.
double evaluation_macs(const Trial& trial, const std::vector<EvaluationRequest>& requests);

}  // namespace occam
