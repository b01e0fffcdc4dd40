#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

namespace occam::cuda {

// What differs from one replay of a captured step to the next, in device memory. The host writes it
// whole between epochs; the step itself advances `index` and adds to the sums.
struct StepState {
  const std::uint8_t* images = nullptr;  // n x channels x side x side bytes
  const std::int32_t* order = nullptr;   // rows of the enlarged set, in the epoch's order
  std::int32_t image_count = 0;
  std::int32_t seed = 0;
  std::int32_t epoch = 0;
  std::int32_t index = 0;                // the step's place in its epoch: rows order[index B …]
  float rate = 0;                        // of learning
  std::uint8_t jitter_order[4][4] = {};  // by view
  double loss_sum = 0, accuracy_sum = 0;
};

// The last kernel of a step: adds the means of `rows` losses and hits and goes to the next batch.
void advance(StepState* state, const float* losses, const float* hits, std::int64_t rows,
             Stream stream);

}  // namespace occam::cuda
