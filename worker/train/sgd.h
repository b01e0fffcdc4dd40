#pragma once

#include <torch/types.h>

#include "experiments/trial.h"

namespace occam {

// The rate of an epoch (0-based), constant within it. cosine: base/2 (1 + cos(pi epoch / epochs))
// (scheduler.py:48-58, 150-153); step: a tenth after half and again after three quarters of the
// epochs; scaled with the batch as the trial says.
double learning_rate(const Trial& trial, std::int64_t epoch);

// One update of Keras' SGD with coupled weight decay on all parameters (train.py:249-266, 502-506):
//   g = gradient + weight_decay * w;  v = momentum * v - rate * g;  w = w + v.
// All three are flat and of one size; `gradient` is left with g.
void sgd_step(torch::Tensor& weights, torch::Tensor& velocity, torch::Tensor& gradient, double rate,
              double momentum, double weight_decay);

}  // namespace occam
