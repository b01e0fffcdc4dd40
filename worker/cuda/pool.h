#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// The mean over an image's pixels, NHWC: images x pixels x channels, channels a multiple of 8.

namespace occam::cuda {

struct PoolShape {
  std::int64_t images, pixels, channels;
  Element element;
};

// `mean`: images x channels.
void pool(const PoolShape& shape, const void* x, void* mean, Stream stream);
void pool_backward(const PoolShape& shape, const void* of_mean, void* of_x, Stream stream);

}  // namespace occam::cuda
