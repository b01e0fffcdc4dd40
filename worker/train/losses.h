#pragma once

#include <torch/types.h>

#include "experiments/trial.h"
#include "worker/model/network.h"

namespace occam {

struct LossValue {
  torch::Tensor loss;      // scalar, differentiable
  torch::Tensor accuracy;  // scalar in [0, 1], detached: how often the target scores highest
};

// One-directional InfoNCE, mean over the B anchors (contrastive.py:87-99 of the released code):
// anchor i against others 0…B-1, target i, cosine similarity over temperature. There are no
// anchor-anchor negatives and no term from others to anchors, so B - 1 negatives a row, not 2B - 2;
// both branches receive gradient. `negatives` > 0 compares inside groups of negatives + 1 rows of
// the batch instead, in order; they must divide B.
LossValue info_nce(const torch::Tensor& anchors, const torch::Tensor& others, double temperature,
                   std::int64_t negatives = 0);

// Symmetric NT-Xent (SimCLR; Chen et al., ICML 2020, equation 1), mean over the 2B rows of both
// views: each is an anchor against all 2B - 1 others of both views but itself, its target the other
// view of its own row, so 2B - 2 negatives. An ablation of the released one-directional form.
// `group` rows of the batch, in order, are compared with each other; it must divide B.
LossValue nt_xent(const torch::Tensor& first, const torch::Tensor& second, double temperature,
                  std::int64_t group);

// Softmax cross-entropy over four rotations, mean over all rows (unsup_embed.py:75-88). Rows come
// as the four rotations of all sources: row r is turned by r / (rows / 4) quarters.
LossValue rotation_prediction(const torch::Tensor& logits);

// The trial's loss of what its network made of one step's images: the batch's views, or the four
// rotations, one after the other.
LossValue step_loss(const Trial& trial, const NetworkOutput& output);

}  // namespace occam
