#pragma once

#include <cstdint>

#include "worker/cuda/convolution.h"

namespace occam::cuda {

// As in convolution.h, of 128 channels into 128 on images of 16 x 16: those of a residual network's
// second stage at full width. A block has a whole image in shared memory, and the weights pass by.

constexpr std::int64_t kWideChannels = 128;
constexpr std::int64_t kWideSide = 16;

void wide_convolve(std::int64_t images, int processors, const void* x, const void* weights, void* y,
                   Stream stream);
void wide_convolve_backward_input(std::int64_t images, int processors, const void* dy,
                                  const void* weights, void* dx, Stream stream);

}  // namespace occam::cuda
