#include "experiments/disk.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/visit_layers.h"

namespace occam {

double checkpoint_bytes(const Trial& trial) {
  if (!is_trained(trial)) return 0;
  double weights = 0;
  std::vector<double> outputs;
  visit_layers(trial, [&](double count, double, double out) {
    weights += count;
    outputs.push_back(out);
  });
  // Without a norm behind them: the contrastive head's last layer; under rotation the last two, or
  // the one there is, which have biases instead.
  const std::size_t plain = is_contrastive(trial) || trial.head_layers == 0 ? 1 : 2;
  const auto end_of_norms = outputs.end() - static_cast<std::ptrdiff_t>(plain);
  const double norms = std::accumulate(outputs.begin(), end_of_norms, 0.0);
  const double biases =
      is_contrastive(trial) ? 0 : std::accumulate(end_of_norms, outputs.end(), 0.0);
  constexpr double kFloat = 4;
  return kFloat * (2 * (weights + 2 * norms + biases) + 2 * norms);
}

double kept_bytes(const Trial& trial, const std::vector<EvaluationRequest>& requests) {
  std::int64_t test = 0, validation = 0, logits = 0;
  for (const EvaluationRequest& request : requests) {
    if (request.features == Features::logit) logits = 4 * 4;  // of every rotation
    std::int64_t& rows = request.split == Split::test ? test : validation;
    rows = std::max(rows, rows_scored(request, held_out_rows(trial, request.split)));
  }
  const std::int64_t pool = 8 * std::lround(64 * trial.width);
  const std::int64_t embed = is_contrastive(trial)   ? trial.embedding
                             : trial.head_layers > 0 ? trial.head_width
                                                     : 0;
  constexpr std::int64_t kFloat = 4, kLabels = 1 + 8;  // is_outlier and rows
  const std::int64_t bytes =
      kFloat * (pool + embed) * (std::min(train_rows(trial), kMostFitRows) + test + validation) +
      (kFloat * logits + kLabels) * (test + validation);
  return static_cast<double>(bytes);
}

}  // namespace occam
