#include "worker/train/sgd.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace occam {

double learning_rate(const Trial& trial, std::int64_t epoch) {
  const double released = is_contrastive(trial) ? 32 : 64;
  const double ratio = static_cast<double>(trial.batch_size) / released;
  double base = trial.learning_rate;
  switch (trial.learning_rate_scaling) {
    case LearningRateScaling::none:
      break;
    case LearningRateScaling::linear:
      base *= ratio;
      break;
    case LearningRateScaling::sqrt:
      base *= std::sqrt(ratio);
      break;
  }
  const double done = static_cast<double>(epoch) /
                      static_cast<double>(std::max<std::int64_t>(1, budget(trial).epochs));
  switch (trial.schedule) {
    case Schedule::cosine:
      return base * 0.5 * (1 + std::cos(std::numbers::pi * done));
    case Schedule::constant:
      return base;
    case Schedule::step:
      return base * (done >= 0.75 ? 0.01 : done >= 0.5 ? 0.1 : 1);
  }
  throw std::logic_error("unknown schedule");
}

void sgd_step(torch::Tensor& weights, torch::Tensor& velocity, torch::Tensor& gradient, double rate,
              double momentum, double weight_decay) {
  gradient.add_(weights, weight_decay);
  velocity.mul_(momentum).sub_(gradient, rate);
  weights.add_(velocity);
}

}  // namespace occam
