#pragma once

#include <cstdint>

#include "worker/cuda/batch_norm.h"
#include "worker/cuda/device.h"

// Convolutions in bfloat16, NHWC. 3 x 3 with padding 1: of 8 channels to 64 and of 64 to 64 on
// images whose sides are multiples of 32; and of 64 or multiples of 128 channels to multiples of
// 128, with stride 1 or 2, where what comes out has a side of 4, 8, 16, 32 or 64 (of 128 without
// the gradient of the weights). And 1 x 1 of the latter, without padding. In a residual network of
// full width on images of 32 x 32 or 64 x 64 those are all. Sums are float32, in a fixed order, so
// the same input gives the same bits.
//
// Of few channels a block holds a tile of the image with its border in shared memory and takes all
// nine shifts from there, so every value is read from the cache once; general kernels read it nine
// times, and are slow where so few channels do not fill their tiles.

namespace occam::cuda {

struct ConvolutionShape {
  std::int64_t images;
  std::int64_t side;
  std::int64_t channels;  // that come in
  std::int64_t outputs;   // that come out
  int stride = 1;
  int processors = 132;  // multiprocessors to keep busy; decides in which order sums are taken
  int kernel = 3;
};
inline int shifts_of(const ConvolutionShape& shape) { return shape.kernel * shape.kernel; }

// Whether these kernels do a shape, and whether also the gradient of its weights. They need a GPU
// of compute capability 9.0.
bool has_convolution(const ConvolutionShape& shape);
bool has_weight_gradient(const ConvolutionShape& shape);

// weights: out x kernel x kernel x in. Beside y what norm_statistics leaves of the norm
// behind it.
void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const NormBehind& norm, Stream stream);
// The gradient of x from that of y; not of 8 channels. Of 1 x 1 with stride 2 only that of the
// pixels which it reads: every other row and column. Where `norm` has an x, which stride 2 refuses,
// beside dx what norm_backward_sums leaves of the norm whose ReLU made x.
void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, const NormBefore& norm, Stream stream);
// The gradient of the weights, where there is one. `scratch` is work space of
// convolution_scratch_bytes.
void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream);
std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape);

}  // namespace occam::cuda
