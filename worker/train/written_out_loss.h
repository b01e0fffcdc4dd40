#pragma once

#include <torch/types.h>

#include "experiments/trial.h"
#include "worker/cuda/device.h"

namespace occam {

// The loss of a batch's outputs as a GPU's step takes it (train/losses.h with its gradient), on the
// stream: the embeddings of 2B views, or the logits of the rotations. `losses` and `hits` are one
// value a row, whose means are the loss and the accuracy; or those themselves. The gradient is of
// the outputs' type. Products of more rows than a kernel of ours takes are float32's, or TF32's
// where the process allows it now (model/precision.h).
struct WrittenOutLoss {
  torch::Tensor losses, hits, gradient;
};
WrittenOutLoss written_out_loss(const Trial& trial, const torch::Tensor& outputs,
                                cuda::Stream stream);

}  // namespace occam
