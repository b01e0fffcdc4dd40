#pragma once

#include <cstdint>

#include "worker/cuda/convolution.h"

// Of convolution.h, 128 channels on images of 16 x 16: a block has a whole image in shared memory,
// and the weights pass by.

namespace occam::cuda {

bool is_wide(const ConvolutionShape& shape);
void wide_convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                   const NormBehind& norm, Stream stream);
void wide_convolve_backward_input(const ConvolutionShape& shape, const void* dy,
                                  const void* weights, void* dx, const NormBefore& norm,
                                  Stream stream);
std::int64_t wide_scratch_bytes(const ConvolutionShape& shape);
void wide_convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                                    void* dweights, void* scratch, Stream stream);

}  // namespace occam::cuda
