#pragma once

#include "worker/cuda/convolution.h"

// Of convolution.h, many channels on small images: a block has a tile of outputs x pixels, and
// copies for every shift the weights and the pixels that it takes there.

namespace occam::cuda {

bool is_shifted(const ConvolutionShape& shape);
void shifted_convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                      const NormBehind& norm, Stream stream);
void shifted_convolve_backward_input(const ConvolutionShape& shape, const void* dy,
                                     const void* weights, void* dx, const NormBefore& norm,
                                     Stream stream);
bool has_shifted_gradient(const ConvolutionShape& shape);
std::int64_t shifted_scratch_bytes(const ConvolutionShape& shape);
void shifted_convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                                       void* dweights, void* scratch, Stream stream);

}  // namespace occam::cuda
