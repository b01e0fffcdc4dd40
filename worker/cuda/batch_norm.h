#pragma once

#include <cstdint>

#include "worker/cuda/device.h"
#include "worker/cuda/exchange.h"

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
unsigned* norm_counters(void* scratch);
// That of a convolution which takes a norm's sums.
struct NormWorkSpace {
  float* parts = nullptr;    // processors x 2 x channels
  unsigned* done = nullptr;  // norm_counters
};

struct NormParameters {
  const float* gamma;
  const float* beta;
  float* running_mean;      // r += 0.1 (batch - r)
  float* running_variance;  // likewise, of the unbiased variance
};

// Of a batch that is spread over the GPUs of a gang, how a norm's sums become those of all rows:
// the members' kernels exchange them; or each only leaves its own, 2 x channels, for whoever adds
// them up and has norm_finish_… do what is left. Every member has as many rows.
struct NormMembers {
  Exchange exchange = {};  // over 2 x channels places
  float* own_sums = nullptr;
};

// Batch statistics of x: fills scale, shift, mean and inverse deviation of `saved`.
void norm_statistics(const NormShape& shape, const void* x, const NormParameters& parameters,
                     float* saved, void* scratch, Stream stream, const NormMembers& members = {});
// What a convolution is told that takes them as it writes x (convolution.h).
struct NormBehind {
  NormParameters parameters = {};
  float* saved = nullptr;
  NormWorkSpace room = {};
  NormMembers members = {};
};
// From the members' own sums, added up, and their rows.
void norm_finish_statistics(std::int64_t rows, std::int64_t channels, const float* sums,
                            const NormParameters& parameters, float* saved, Stream stream);

// y = scale x + shift, plus the residual, through ReLU if wanted. With `residual_saved` the
// residual is normalised by it first: that is the shortcut's convolution.
void norm_apply(const NormShape& shape, const void* x, const float* saved, const void* residual,
                const float* residual_saved, bool relu, void* y, Stream stream);

// norm_statistics and norm_apply with ReLU in one launch, for few rows.
constexpr std::int64_t kNormFewRows = 512;
void norm_forward_few(const NormShape& shape, const void* x, const NormParameters& parameters,
                      float* saved, void* y, Stream stream);

// The gradient g that reaches a norm: a (+ b), where ReLU let the value through. What only reads
// every other row and column of the images, as a shortcut's convolution does, has a `b` of these
// pixels alone: a quarter of a's rows, in the same order.
struct NormGradient {
  enum class Mask {
    none,  // no ReLU
    x,     // where scale x + shift > 0
    y,     // where y > 0: there was a residual
  };
  const void* a;
  const void* b;  // or null
  Mask mask;
  const void* y;          // for Mask::y
  std::int64_t side = 0;  // of the images, which is even, if b is of every other row and column
};

// Where the gradients of gamma and beta go, and, into `saved`, the coefficients of dx. In a gang
// these are of all rows, the same on every member.
struct NormGradients {
  const float* gamma = nullptr;
  float* saved = nullptr;
  float* of_gamma = nullptr;
  float* of_beta = nullptr;
};

// With `g` not null the masked sum is written there too (it may be a, or a b of as many rows): the
// residual's gradient.
void norm_backward_sums(const NormShape& shape, const NormGradient& gradient, const void* x,
                        const NormGradients& to, void* g, void* scratch, Stream stream,
                        const NormMembers& members = {});
// From the members' own sums, added up, and their rows.
void norm_finish_backward(std::int64_t rows, std::int64_t channels, const float* sums,
                          const NormGradients& to, Stream stream);
// What a convolution is told that takes those sums as it writes the gradient of its input
// (convolution.h), which is `a`, masked by x.
struct NormBefore {
  const void* x = nullptr;  // that came to the norm; null: there is none
  NormGradients to = {};
  NormWorkSpace room = {};
  NormMembers members = {};
};

// dx = a g + b x + c (dx may be one of the gradient's own buffers).
void norm_backward_apply(const NormShape& shape, const NormGradient& gradient, const void* x,
                         const float* saved, void* dx, Stream stream);

// norm_backward_sums and norm_backward_apply in one launch for few rows, with the mask from x.
void norm_backward_few(const NormShape& shape, const void* gradient, const void* x,
                       const NormGradients& to, void* dx, Stream stream);

}  // namespace occam::cuda
