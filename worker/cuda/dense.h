#pragma once

#include <cstddef>
#include <cstdint>

#include "worker/cuda/batch_norm.h"

// Layers of the projection head for few rows, in bfloat16: product, batch norm and ReLU in one
// launch, forward and backward. As separate operations they are too small for a GPU, and a step has
// eight of them. A block takes 16 outputs and all rows, so the norm's sums are its own. Sums are
// float32, in a fixed order.

namespace occam::cuda {

struct DenseShape {
  std::int64_t rows;
  std::int64_t inputs, outputs;
};
// Whether these functions take it, where a block may have so many bytes of shared memory.
bool is_dense(const DenseShape& shape, std::size_t shared_bytes);

// z = x weights^T, y = relu(norm of z over the rows). x: rows x inputs, weights: outputs x inputs;
// fills `saved` as norm_statistics does.
void dense_forward(const DenseShape& shape, const void* x, const void* weights,
                   const NormParameters& parameters, float* saved, void* z, void* y, Stream stream);

// From the layer behind, whose z has `next.outputs` columns, its dz and its weights (next.outputs x
// outputs): this layer's dz, the gradients of its weights, and those of the norm's gamma and beta.
struct DenseNext {
  const void* dz;
  const void* weights;
  std::int64_t outputs;  // a multiple of 64
};
void dense_backward(const DenseShape& shape, const DenseNext& next, const void* x, const void* z,
                    const float* gamma, const float* saved, void* dz, void* dweights, float* dgamma,
                    float* dbeta, Stream stream);

}  // namespace occam::cuda
