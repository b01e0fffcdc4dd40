#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// Batch norm with ReLU and the residual sum, forward and backward, over rows x channels (NHWC with
// images and pixels as rows). Statistics and coefficients are float32; sums are taken in a fixed
// order, so the same input gives the same bits.

namespace occam::cuda {

struct NormShape {
  std::int64_t rows;
  std::int64_t channels;
  Element element;
  int processors = 132;  // multiprocessors to keep busy; decides in which order sums are taken
};

// Kept from the forward pass for the backward one: seven rows of `channels` floats.
//   scale, shift: y = scale x + shift;  mean, 1 / sqrt(variance + eps);
// and three more that the backward pass writes: dx = a g + b x + c.
constexpr std::int64_t kNormSaved = 7;

// Work space of one stream, zeroed once: partial sums, and how many blocks are done.
std::int64_t norm_scratch_bytes(std::int64_t most_channels);

struct NormParameters {
  const float* gamma;
  const float* beta;
  float* running_mean;      // r += 0.1 (batch - r)
  float* running_variance;  // likewise, of the unbiased variance
};

// Batch statistics of x: fills scale, shift, mean and inverse deviation of `saved`.
void norm_statistics(const NormShape& shape, const void* x, const NormParameters& parameters,
                     float* saved, void* scratch, Stream stream);

// y = scale x + shift, plus the residual, through ReLU if wanted. With `residual_saved` the
// residual is normalised by it first: that is the shortcut's convolution.
void norm_apply(const NormShape& shape, const void* x, const float* saved, const void* residual,
                const float* residual_saved, bool relu, void* y, Stream stream);

// norm_statistics and norm_apply with ReLU in one launch, for few rows.
constexpr std::int64_t kNormFewRows = 512;
void norm_forward_few(const NormShape& shape, const void* x, const NormParameters& parameters,
                      float* saved, void* y, Stream stream);

// The gradient g that reaches a norm: a (+ b), where ReLU let the value through.
struct NormGradient {
  enum class Mask {
    none,  // no ReLU
    x,     // where scale x + shift > 0
    y,     // where y > 0: there was a residual
  };
  const void* a;
  const void* b;  // or null
  Mask mask;
  const void* y;  // for Mask::y
};

// Gradients of gamma and beta, and the coefficients of dx, into `saved`. With `g` not null the
// masked sum is written there too (it may be a or b): the residual's gradient.
void norm_backward_sums(const NormShape& shape, const NormGradient& gradient, const void* x,
                        const float* gamma, float* saved, void* g, float* gamma_gradient,
                        float* beta_gradient, void* scratch, Stream stream);

// Of a batch that is spread over several GPUs: all their sums, added up, and all their rows.
struct NormSums {
  const float* values = nullptr;  // 2 x channels
  const float* gamma = nullptr;
  std::int64_t rows = 0;
};

// dx = a g + b x + c (dx may be one of the gradient's own buffers). The coefficients are those in
// `saved`, or, where there are sums, what follows from these.
void norm_backward_apply(const NormShape& shape, const NormGradient& gradient, const void* x,
                         const float* saved, void* dx, Stream stream, const NormSums& sums = {});

// Both in one launch for few rows, with the ReLU's mask from x.
void norm_backward_few(const NormShape& shape, const void* gradient, const void* x,
                       const float* gamma, float* saved, float* gamma_gradient,
                       float* beta_gradient, void* dx, Stream stream);

// For a batch that is spread over several GPUs: the first half of norm_statistics, the sums of this
// one's rows (2 x channels floats, about the running mean); and, when the GPUs' sums are added up,
// the second, with the rows of all. `few` takes the sums in the order of norm_forward_few, as one
// GPU would. With one GPU the two halves give norm_statistics' bits.
void norm_statistics_sums(const NormShape& shape, const void* x, const NormParameters& parameters,
                          float* sums, bool few, void* scratch, Stream stream);
void norm_statistics_of_sums(std::int64_t rows, std::int64_t channels, const float* sums,
                             const NormParameters& parameters, float* saved, Stream stream);
// Where the sums come in parts (parts x 2 x channels, channels a multiple of 64): adds them up, and
// both that and the second half.
void norm_sums_of_parts(std::int64_t channels, int parts, const float* of_parts, float* sums,
                        Stream stream);
void norm_statistics_of_parts(std::int64_t rows, std::int64_t channels, int parts,
                              const float* of_parts, const NormParameters& parameters, float* saved,
                              Stream stream);

// Likewise the first half of norm_backward_sums, of which norm_backward_apply is the second: the
// gradients of gamma and beta are those of this GPU's rows.
void norm_backward_own_sums(const NormShape& shape, const NormGradient& gradient, const void* x,
                            float* saved, void* g, float* gamma_gradient, float* beta_gradient,
                            float* sums, bool few, void* scratch, Stream stream);

}  // namespace occam::cuda
