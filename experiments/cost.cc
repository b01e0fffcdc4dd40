#include "experiments/cost.h"

#include <cmath>

namespace occam {

double forward_macs(const Trial& trial) {
  const auto side = static_cast<double>(task_facts(trial).side);
  const double blocks = trial.depth == 10 ? 1 : 2;  // of the first stage; depth 34 adds below
  const double counts34[] = {3, 4, 6, 3};
  double macs = 27 * 64 * side * side;  // stem
  double in = 64, pixels = side * side;
  for (int stage = 0; stage < 4; ++stage) {
    const double out = 64 * trial.width * std::pow(2, stage);
    const double count = trial.depth == 34 ? counts34[stage] : blocks;
    if (stage > 0) pixels /= 4;
    macs += pixels * (9 * in * out + 9 * out * out);
    macs += (count - 1) * pixels * 18 * out * out;
    if (stage > 0 || in != out) macs += pixels * in * out;
    in = out;
  }
  double head = in;
  for (std::int64_t layer = 0; layer < trial.head_layers; ++layer) {
    macs += head * static_cast<double>(trial.head_width);
    head = static_cast<double>(trial.head_width);
  }
  return macs + head * (is_contrastive(trial) ? static_cast<double>(trial.embedding) : 4);
}

double training_macs(const Trial& trial) {
  if (!is_trained(trial)) return 0;
  return 3 * forward_macs(trial) *
         static_cast<double>(budget(trial).steps * images_per_step(trial));
}

double evaluation_macs(const Trial& trial, const std::vector<EvaluationRequest>& requests) {
  const std::int64_t all = task_facts(trial).test_rows;
  std::int64_t train = 0, test = 0, validation = 0, rotations = 1;
  for (const EvaluationRequest& request : requests) {
    if (request.features == Features::pixels) continue;
    const std::int64_t limit = request.parameters.test_limit;
    if (request.split == Split::validation)
      validation = 2 * validation_inliers(trial, task_facts(trial).train_rows);
    else
      test = std::max(test, limit > 0 ? std::min(limit, all) : all);
    if (request.features == Features::logit)
      rotations = 4;
    else
      train = train_rows(trial);
  }
  return forward_macs(trial) * static_cast<double>(train + rotations * (test + validation));
}

}  // namespace occam
