#pragma once

#include <cstdint>

#include "worker/cuda/step_state.h"
#include "worker/data/augment_arithmetic.h"

namespace occam::cuda {

// The augmentation of a trial as worker/data/augment.h describes it, without what the state holds.
struct AugmentPlan {
  static constexpr int kMostOperations = 16, kMostTransforms = 8;
  struct Operation {
    enum class Kind { crop, hflip, jitter, gray, blur, vflip, shift, rotate };
    Kind kind;
    std::int32_t least_side;  // of a crop
    std::int32_t most_shift, quarters;
    bool order_per_image;  // of a jitter: not the state's of its view
    float amount, brightness, contrast, saturation, hue;
  };
  std::int32_t side, channels;    // of the bytes
  std::int32_t batch, views;      // rows that are made, and how often each
  std::int32_t step_rows, first;  // of a step's rows those from `first` are made
  bool turns;                     // view v is turned by v quarters: rotation prediction
  std::int32_t operation_count, transform_count;
  Operation operations[kMostOperations];
  SquareTransform transforms[kMostTransforms];
};

// The network reads eight channels, of which five are zero: convolutions are faster so.
constexpr int kInputChannels = 8;

// Shared memory that a block of augment() needs, in bytes.
int shared_bytes(const AugmentPlan& plan);

// All views of our part of the state's batch: views x batch x side x side x kInputChannels, one
// view after the other. The same numbers as the CPU's Augmenter but for the rounding of fused
// multiply-adds.
void augment(const AugmentPlan& plan, const StepState* state, void* out, Element element,
             Stream stream);

}  // namespace occam::cuda
