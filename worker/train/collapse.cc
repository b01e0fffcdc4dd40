#include "worker/train/collapse.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace occam {
namespace {

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

}  // namespace

std::int64_t tail_begin(const Budget& plan) {
  return plan.epochs - std::max<std::int64_t>(1, plan.epochs / 10);
}

double embedding_spread(const torch::Tensor& embeddings) {
  const torch::Tensor rows = embeddings.detach().to(torch::kDouble);
  const torch::Tensor unit = rows / rows.norm(2, 1, true).clamp_min(1e-300);
  return std::sqrt((unit - unit.mean(0, true)).square().sum(1).mean().item<double>());
}

std::string collapse(const Trial& trial, const TrainingTail& tail, double spread) {
  if (!is_trained(trial)) return "";
  if (spread < kLeastSpread)
    return "the normalised train embeddings spread by " + rounded(spread) +
           " about their mean, under " + rounded(kLeastSpread);
  if (!is_contrastive(trial)) return "";
  const bool symmetric = trial.loss == Loss::contrastive_symmetric;
  const auto rows = static_cast<double>(rows_compared(trial));
  const double candidates = symmetric ? 2 * rows - 1 : rows;
  const double chance = 1 / candidates;
  if (std::abs(tail.loss - std::log(candidates)) > 0.01 * std::log(candidates)) return "";
  if (tail.accuracy > (1 + chance) / 2) return "";
  return "over its last tenth the loss was " + rounded(tail.loss) + ", within 1 % of log " +
         rounded(candidates) + ", that of embeddings without difference";
}

}  // namespace occam
