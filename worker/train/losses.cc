#include "worker/train/losses.h"

#include <torch/types.h>

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
    case Loss::rotation:
      return rotation_prediction(output.logits);
  }
  throw std::logic_error("unknown loss");
}

}  // namespace occam
