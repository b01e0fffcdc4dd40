#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// 3 x 3 convolutions, stride 1, padding 1, in bfloat16, NHWC: of 8 channels to 64 and of 64 to 64
// on images whose sides are multiples of 32, and of 128 to 128 on images of 16 x 16. In a residual
// network of full width on images of 32 x 32 those are the first, the first stage's and most of the
// second's. Sums are float32, in a fixed order, so the same input gives the same bits.
//
// A block holds a tile of the image with its border in shared memory and takes all nine shifts from
// there, so every value is read from the cache once; general kernels read it nine times, and are
// slow where so few channels do not fill their tiles.

namespace occam::cuda {

struct ConvolutionShape {
  std::int64_t images;
  std::int64_t side;
  std::int64_t channels;  // that come in
  int processors = 132;   // multiprocessors to keep busy; decides in which order sums are taken
};

inline std::int64_t outputs(const ConvolutionShape& shape) {
  return shape.channels == 8 ? 64 : shape.channels;
}

// Whether these kernels do a shape. They need a GPU of compute capability 9.0.
bool has_convolution(const ConvolutionShape& shape);

// What batch norm wants of y beside: each channel's sum over the pixels of y - origin, and of its
// square. `parts` holds convolution_parts rows of all channels' sums, then all squares', to be
// added up.
struct ConvolutionSums {
  const float* origin = nullptr;  // by channel
  float* parts = nullptr;
};
int convolution_parts(const ConvolutionShape& shape);

// weights: out x 3 x 3 x in.
void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const ConvolutionSums& sums, Stream stream);
// The gradient of x from that of y; not of 8 channels.
void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, Stream stream);
// The gradient of the weights. `scratch` is work space of convolution_scratch_bytes.
void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream);
std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape);

}  // namespace occam::cuda
