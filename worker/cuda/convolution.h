#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// 3 x 3 convolutions of 64 channels into 64, stride 1, padding 1, in bfloat16, NHWC: those of a
// residual network's first stage at full width. Sums are float32, in a fixed order, so the same
// input gives the same bits.
//
// A block holds a tile of the image with its border in shared memory and takes all nine shifts from
// there, so every value is read from the cache once; general kernels read it nine times, and are
// slow where 64 channels are too few for their tiles.

namespace occam::cuda {

constexpr std::int64_t kConvolutionChannels = 64;
constexpr std::int64_t kConvolutionColumns = 32;  // of a tile; sides are multiples

struct ConvolutionShape {
  std::int64_t images;
  std::int64_t side;
  int processors = 132;  // multiprocessors to keep busy; decides in which order sums are taken
};

// The shared memory that a block of these kernels takes.
int convolution_shared_bytes();

// What batch norm wants of y beside: each channel's sum over the pixels of y - origin, and of its
// square. `parts` holds convolution_parts rows of 64 sums and 64 squares, to be added up.
struct ConvolutionSums {
  const float* origin = nullptr;  // by channel
  float* parts = nullptr;         // null leaves them out
};
int convolution_parts(const ConvolutionShape& shape);

// weights: out x 3 x 3 x in.
void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const ConvolutionSums& sums, Stream stream);
// The gradient of x from that of y.
void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, Stream stream);
// The gradient of the weights. `scratch` is work space of convolution_scratch_bytes.
void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream);
std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape);

}  // namespace occam::cuda
