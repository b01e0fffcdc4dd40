#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>

#include "experiments/trial.h"
#include "worker/cuda/augment.h"
#include "worker/cuda/step_state.h"
#include "worker/distributed/group.h"
#include "worker/model/network.h"
#include "worker/train/checkpoint.h"

namespace occam {

// What a step on a GPU computes: augmentation, the network's forward and backward passes, the loss
// and the update. The network runs in bfloat16 or float32 on a copy of the weights; the masters,
// momentum, statistics and sums are float32. All work goes on one stream, that these were made
// with, in the same order each time, and may be captured in a graph.
class Passes {
 public:
  virtual ~Passes() = default;

  // Weights, momentum and statistics as at the start of a trial, or as in the state.
  virtual void begin(const Trial& trial, const std::optional<TrainingState>& from) = 0;

  // Losses and hits of a batch whose means are the step's.
  struct Rows {
    torch::Tensor losses, hits;
  };
  virtual Rows forward_and_backward(const cuda::StepState* state) = 0;
  // Reads the gradients where keep_gradients_here() found them.
  virtual void update(const cuda::StepState* state) = 0;
  // Those of the last passes lie there whenever these are repeated, as a graph does. After update()
  // was captured, before it is replayed.
  virtual void keep_gradients_here() = 0;

  virtual const std::shared_ptr<Network>& network() const = 0;
  virtual const torch::Tensor& velocity() const = 0;
};

// In a group the members' calls meet (worker/distributed/group.h). Throws Error for a network that
// there are no kernels for, and c10::OutOfMemoryError.
std::unique_ptr<Passes> make_passes(const Trial& trial, const cuda::AugmentPlan& plan,
                                    torch::Device device, cuda::Stream stream, Group* group);

}  // namespace occam
