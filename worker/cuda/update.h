#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "worker/cuda/exchange.h"
#include "worker/cuda/step_state.h"

namespace occam::cuda {

// Which members' gradients a parameter is updated by, in a gang: this one's, which is the same on
// all; or all, added up in the order of their ranks.
enum class GradientOf { own, all };

// A parameter in the update. Weights and velocity are masters, float32. Where the network's copy
// has more input channels than the master (the stem's, filled up with zeros), `inner` of the
// master's values become `padded` of the copy's; else both are equal. `gradient_padded` is the
// gradient's own.
struct UpdateSegment {
  const void* gradient;
  Element gradient_element;
  float* weights;
  float* velocity;
  void* copy;  // of the new weights, for the network; null where it reads the masters
  Element copy_element;
  std::int64_t count;  // of master values
  std::int64_t inner, padded, gradient_padded;
  GradientOf of = GradientOf::own;
  std::int64_t place = 0;  // of a copy of the gradient, in bytes, a multiple of 16
};

// Where copies of the other members' gradients lie here. They must have been sent, in this round,
// before a member's update is run on its stream.
struct SentGradients {
  Exchange exchange;  // over one place
  const std::byte* of_rank[kMostMembers];
};

// SGD of worker/train/sgd.h on all parameters at once, in one kernel, with the rate of the step's
// state; gradients are read where the backward pass left them.
class Update {
 public:
  // Throws Error when the device memory for its table cannot be had. `stream` here and below is the
  // one that run() and copy() are given; both wait for it.
  Update(std::vector<UpdateSegment> segments, Stream stream);

  // Where the gradients lie, one a segment. A captured backward pass says so only when it is whole,
  // so this may come after run() was captured, and must come before it is replayed.
  void read_from(const std::vector<const void*>& gradients, Stream stream);

  // Without `sent` by this member's gradients alone.
  void run(const StepState* state, float momentum, float weight_decay, Stream stream,
           const SentGradients* sent = nullptr) const;
  // Only the copies, of the weights as they are.
  void copy(Stream stream) const;

 private:
  void write(std::size_t at, const void* from, std::size_t bytes, Stream stream);

  struct Free {
    void operator()(void* memory) const;
  };

  std::vector<UpdateSegment> segments_;
  std::unique_ptr<void, Free> table_;  // segments, then chunks
  std::int64_t chunks_ = 0;
};

}  // namespace occam::cuda
