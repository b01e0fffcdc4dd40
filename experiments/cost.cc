#include "experiments/cost.h"

#include <algorithm>
#include <cmath>

#include "experiments/visit_layers.h"

namespace occam {

double forward_macs(const Trial& trial) {
  double macs = 0;
  visit_layers(trial, [&](double weights, double pixels, double) { macs += weights * pixels; });
  return macs;
}

std::int64_t full_images_per_step(const Trial& trial) {
  if (!is_trained(trial)) return 1;
  const double images =
      static_cast<double>(images_per_step(trial)) * forward_macs(trial) / kFullImageMacs;
  return std::max<std::int64_t>(1, std::llround(images));
}

double weight_count(const Trial& trial) {
  double count = 0;
  visit_layers(trial, [&](double weights, double, double) { count += weights; });
  return count;
}

std::int64_t norm_count(const Trial& trial) {
  std::int64_t count = -1;  // the last layer has none
  visit_layers(trial, [&](double, double, double) { ++count; });
  return count;
}

double training_macs(const Trial& trial) {
  if (!is_trained(trial)) return 0;
  return 3 * forward_macs(trial) *
         static_cast<double>(budget(trial).steps * images_per_step(trial));
}

double evaluation_macs(const Trial& trial, const std::vector<EvaluationRequest>& requests) {
  std::int64_t train = 0, test = 0, validation = 0, rotations = 1;
  for (const EvaluationRequest& request : requests) {
    if (request.features == Features::pixels) continue;
    std::int64_t& rows = request.split == Split::test ? test : validation;
    rows = std::max(rows, rows_scored(request, held_out_rows(trial, request.split)));
    if (request.features == Features::logit)
      rotations = 4;
    else
      train = train_rows(trial);
  }
  return forward_macs(trial) * static_cast<double>(train + rotations * (test + validation));
}

}  // namespace occam
