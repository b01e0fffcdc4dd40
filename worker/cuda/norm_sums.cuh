#pragma once

#include "worker/cuda/batch_norm.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/exchange.cuh"

// From a norm's sums over its rows to what is kept of them, by the threads of one block, for a slab
// of neighbouring channels: `sums` holds the slab's firsts, then its seconds.

namespace occam::cuda {

constexpr float kEps = 1e-5F;

// Every `step`-th of `count` quads, `apart` from one to the next, from the `first` on; so many are
// loaded at a time that few waits come after each other.
template <int kAtOnce>
__device__ inline float4 sum_of_every(const float4* quads, std::int64_t apart, int first, int count,
                                      int step) {
  float4 sum{0, 0, 0, 0};
  for (; first < count; first += kAtOnce * step) {
    float4 value[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      const int i = first + u * step;
      value[u] = i < count ? __ldcg(quads + i * apart) : float4{0, 0, 0, 0};
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      sum.x += value[u].x;
      sum.y += value[u].y;
      sum.z += value[u].z;
      sum.w += value[u].w;
    }
  }
  return sum;
}

// To their places among those of all channels: one row of firsts, one of seconds.
__device__ inline void write_sums(std::int64_t channels, std::int64_t first_channel, int slab,
                                  const float* sums, float* out) {
  for (int i = threadIdx.x; i < slab; i += static_cast<int>(blockDim.x)) {
    out[first_channel + i] = sums[i];
    out[channels + first_channel + i] = sums[slab + i];
  }
}

// Adds up what the members have in `sums`; false where each only leaves its own, for who adds them
// up.
__device__ inline bool sum_over_members(const NormMembers& members, std::int64_t channels,
                                        std::int64_t first_channel, int slab, float* sums) {
  if (members.own_sums) {
    write_sums(channels, first_channel, slab, sums, members.own_sums);
    return false;
  }
  const Exchange& exchange = members.exchange;
  if (exchange.size == 1) return true;
  const std::uint32_t round = round_of(exchange);
  const auto place = [&](int i) { return first_channel + (i < slab ? i : channels + i - slab); };
  const auto step = static_cast<int>(blockDim.x);
  for (int i = threadIdx.x; i < 2 * slab; i += step) send(exchange, round, place(i), sums[i]);
  for (int i = threadIdx.x; i < 2 * slab; i += step)
    sums[i] = sum_of_members(exchange, round, place(i), sums[i]);
  __syncthreads();
  return true;
}

// Forward: of x and of its square. Sums are about the running mean, so that a mean far from zero
// costs no digits.
__device__ inline void finish_statistics(std::int64_t channels, std::int64_t of_rows,
                                         std::int64_t first_channel, int slab, const float* sums,
                                         const NormParameters& parameters, float* saved) {
  const auto rows = static_cast<float>(of_rows);
  for (int i = threadIdx.x; i < slab; i += static_cast<int>(blockDim.x)) {
    const std::int64_t channel = first_channel + i;
    const float origin = parameters.running_mean[channel];
    const float running = parameters.running_variance[channel];
    const float gamma = parameters.gamma[channel], beta = parameters.beta[channel];
    const float offset = sums[i] / rows;
    const float mean = origin + offset;
    const float variance = positive(sums[slab + i] / rows - offset * offset);
    const float inverse = rsqrtf(variance + kEps);
    const float scale = gamma * inverse;
    saved[channel] = scale;
    saved[channels + channel] = beta - mean * scale;
    saved[2 * channels + channel] = mean;
    saved[3 * channels + channel] = inverse;
    parameters.running_mean[channel] = origin + 0.1F * offset;
    const float unbiased = of_rows > 1 ? variance * (rows / (rows - 1)) : variance;
    parameters.running_variance[channel] = running + 0.1F * (unbiased - running);
  }
}

// The same of `of_rows` rows here, in a gang of all members' rows.
__device__ inline void finish_statistics(std::int64_t channels, std::int64_t of_rows,
                                         std::int64_t first_channel, int slab, float* sums,
                                         const NormParameters& parameters, float* saved,
                                         const NormMembers& members) {
  if (!sum_over_members(members, channels, first_channel, slab, sums)) return;
  finish_statistics(channels, of_rows * members.exchange.size, first_channel, slab, sums,
                    parameters, saved);
}

// Backward: of g and of its product with x about the mean. To the gradients of gamma and beta, and
// dx' coefficients.
__device__ inline void finish_backward(std::int64_t channels, std::int64_t of_rows,
                                       std::int64_t first_channel, int slab, const float* sums,
                                       const NormGradients& to) {
  const auto rows = static_cast<float>(of_rows);
  for (int i = threadIdx.x; i < slab; i += static_cast<int>(blockDim.x)) {
    const std::int64_t channel = first_channel + i;
    const float inverse = to.saved[3 * channels + channel];
    const float mean = to.saved[2 * channels + channel];
    const float scale = to.gamma[channel] * inverse;
    const float of_gamma = sums[slab + i] * inverse;
    to.of_gamma[channel] = of_gamma;
    to.of_beta[channel] = sums[i];
    const float slope = -scale * inverse * of_gamma / rows;
    to.saved[4 * channels + channel] = scale;
    to.saved[5 * channels + channel] = slope;
    to.saved[6 * channels + channel] = -scale * sums[i] / rows - slope * mean;
  }
}
__device__ inline void finish_backward(std::int64_t channels, std::int64_t of_rows,
                                       std::int64_t first_channel, int slab, float* sums,
                                       const NormGradients& to, const NormMembers& members) {
  if (!sum_over_members(members, channels, first_channel, slab, sums)) return;
  finish_backward(channels, of_rows * members.exchange.size, first_channel, slab, sums, to);
}

// Whether all other blocks that count here have been, and what they wrote is seen; then the count
// is zero again.
__device__ inline bool is_last_block(unsigned* done, int blocks) {
  __syncthreads();
  bool is_last = false;
  if (threadIdx.x == 0) {
    // For what all of the block has written before the barrier, too.
    __threadfence();
    is_last = atomicAdd(done, 1U) == static_cast<unsigned>(blocks) - 1;
    if (is_last) *done = 0;
    __threadfence();
  }
  return __syncthreads_or(is_last) != 0;
}

}  // namespace occam::cuda
