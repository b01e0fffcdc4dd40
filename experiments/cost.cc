#include "experiments/cost.h"

#include <cmath>

namespace occam {

namespace {

// Calls visit(weights, pixels) for every convolution of the trunk, then for every layer of the
// head.
template <class Visitor>
void visit_layers(const Trial& trial, Visitor&& visit) {
  const auto side = static_cast<double>(task_facts(trial).side);
  const double blocks = trial.depth == 10 ? 1 : 2;  // of the first stage; depth 34 adds below
  const double counts34[] = {3, 4, 6, 3};
  visit(27 * 64.0, side * side);  // stem
  double in = 64, pixels = side * side;
  for (int stage = 0; stage < 4; ++stage) {
    const double out = 64 * trial.width * std::pow(2, stage);
    const double count = trial.depth == 34 ? counts34[stage] : blocks;
    if (stage > 0) pixels /= 4;
    visit(9 * in * out, pixels);
    visit(9 * out * out, pixels);
    for (int i = 0; i < 2 * (count - 1); ++i) visit(9 * out * out, pixels);
    if (stage > 0 || in != out) visit(in * out, pixels);
    in = out;
  }
  double head = in;
  for (std::int64_t layer = 0; layer < trial.head_layers; ++layer) {
    visit(head * static_cast<double>(trial.head_width), 1.0);
    head = static_cast<double>(trial.head_width);
  }
  visit(head * (is_contrastive(trial) ? static_cast<double>(trial.embedding) : 4), 1.0);
}

}  // namespace

double forward_macs(const Trial& trial) {
  double macs = 0;
  visit_layers(trial, [&](double weights, double pixels) { macs += weights * pixels; });
  return macs;
}

double weight_count(const Trial& trial) {
  double count = 0;
  visit_layers(trial, [&](double weights, double) { count += weights; });
  return count;
}

std::int64_t norm_count(const Trial& trial) {
  std::int64_t count = -1;  // the last layer has none
  visit_layers(trial, [&](double, double) { ++count; });
  return count;
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
