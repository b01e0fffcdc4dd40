#include "worker/train/losses.h"

#include <torch/types.h>

#include <limits>

namespace occam {
namespace {

LossValue cross_entropy(const torch::Tensor& logits, const torch::Tensor& target) {
  return {at::cross_entropy_loss(logits, target),
          logits.detach().argmax(1).eq(target).to(torch::kFloat32).mean()};
}

torch::Tensor unit(const torch::Tensor& rows) {
  return rows / rows.norm(2, 1, true).clamp_min(1e-12);
}

}  // namespace

LossValue info_nce(const torch::Tensor& anchors, const torch::Tensor& others, double temperature,
                   std::int64_t negatives) {
  const std::int64_t rows = anchors.size(0);
  const std::int64_t group = negatives > 0 ? negatives + 1 : rows;
  const torch::Tensor a = unit(anchors).view({rows / group, group, -1});
  const torch::Tensor b = unit(others).view({rows / group, group, -1});
  const torch::Tensor logits = at::bmm(a, b.transpose(1, 2)).div(temperature).view({rows, group});
  const torch::Tensor target =
      torch::arange(group, logits.options().dtype(torch::kInt64)).repeat({rows / group});
  return cross_entropy(logits, target);
}

LossValue nt_xent(const torch::Tensor& first, const torch::Tensor& second, double temperature,
                  std::int64_t group) {
  const std::int64_t groups = first.size(0) / group;
  const torch::Tensor both =
      at::cat({unit(first).view({groups, group, -1}), unit(second).view({groups, group, -1})}, 1);
  const torch::Tensor itself = at::eye(2 * group, both.options().dtype(torch::kBool));
  const torch::Tensor logits = at::bmm(both, both.transpose(1, 2))
                                   .div(temperature)
                                   .masked_fill(itself, -std::numeric_limits<double>::infinity())
                                   .view({2 * first.size(0), 2 * group});
  const torch::Tensor partner =
      torch::arange(2 * group, logits.options().dtype(torch::kInt64)).roll(-group);
  return cross_entropy(logits, partner.repeat({groups}));
}

LossValue rotation_prediction(const torch::Tensor& logits) {
  const torch::Tensor target =
      torch::arange(4, logits.options().dtype(torch::kInt64)).repeat_interleave(logits.size(0) / 4);
  return cross_entropy(logits, target);
}

LossValue step_loss(const Trial& trial, const NetworkOutput& output) {
  switch (trial.loss) {
    case Loss::contrastive: {
      const std::int64_t rows = trial.batch_size;
      return info_nce(output.embed.narrow(0, 0, rows), output.embed.narrow(0, rows, rows),
                      trial.temperature, trial.negatives);
    }
    case Loss::contrastive_symmetric: {
      const std::int64_t rows = trial.batch_size;
      return nt_xent(output.embed.narrow(0, 0, rows), output.embed.narrow(0, rows, rows),
                     trial.temperature, rows_compared(trial));
    }
    case Loss::rotation:
      return rotation_prediction(output.logits);
  }
  throw std::logic_error("unknown loss");
}

}  // namespace occam
