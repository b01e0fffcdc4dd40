#pragma once

#include <torch/types.h>

#include <string>

#include "experiments/trial.h"

namespace occam {

// The first epoch of a training's last tenth, of which there is always one.
std::int64_t tail_begin(const Budget& plan);

// Means over the last tenth of a training's epochs.
struct TrainingTail {
  double loss, accuracy;
};

// Root mean square distance of the rows, each normalised, from their mean: 0 when all agree, at
// most
// 1. `embeddings` is n x d; a row of zeros stays one.
double embedding_spread(const torch::Tensor& embeddings);

// Below this the representation says nothing of an image. Trainings that learn keep 0.1 and more.
inline constexpr double kLeastSpread = 0.01;

// Why a finished training counts as collapsed, decided from training data alone and never from a
// score; empty when it does not:
// - the spread of the train embeddings is below kLeastSpread, or
// - a contrastive loss is within 1 % of what embeddings without any difference give, the logarithm
//   of the number of candidates, over the last tenth of the epochs, while views find their own row
//   less than half as far above chance as they could (a temperature far above 1 keeps the loss
//   there though the embeddings differ).
std::string collapse(const Trial& trial, const TrainingTail& tail, double spread);

}  // namespace occam
