#include "worker/cuda/norm_layout.cuh"

namespace occam::cuda {

namespace {

constexpr float kEps = 1e-5F;

// One vector of x - origin and its square summed over a thread's rows.
template <class T, int V>
__device__ inline void sum_rows(const T* x, const NormLayout& layout, const NormPlace& place,
                                const float (&origin)[V], float (&sum)[V], float (&square)[V]) {
  const auto x_of = [&](std::int64_t row) {
    return fetch<V>(x + row * layout.channels + place.channel);
  };
  for_rows<8>(place, x_of, [&](std::int64_t, const Packed<T, V>& packed) {
    float value[V];
    unpack(packed, value);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const float centred = value[i] - origin[i];
      sum[i] += centred;
      square[i] += centred * centred;
    }
  });
}

// From the sums over so many rows to what is kept, by the threads of one block for the slab's
// channels.
__device__ inline void finish_statistics(const NormLayout& layout, std::int64_t of_rows,
                                         std::int64_t first_channel, int slab, const float* sums,
                                         const NormParameters& parameters, float* saved) {
  const auto rows = static_cast<float>(of_rows);
  for (int i = threadIdx.x; i < slab; i += kThreads) {
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
    saved[layout.channels + channel] = beta - mean * scale;
    saved[2 * layout.channels + channel] = mean;
    saved[3 * layout.channels + channel] = inverse;
    parameters.running_mean[channel] = origin + 0.1F * offset;
    const float unbiased = of_rows > 1 ? variance * (rows / (rows - 1)) : variance;
    parameters.running_variance[channel] = running + 0.1F * (unbiased - running);
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    statistics(NormLayout layout, const T* x, NormParameters parameters, float* saved,
               float* partial, unsigned* done, NormMembers members) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  float origin[V], sum[V] = {}, square[V] = {};
  // Sums are taken about the running mean, so that a mean far from zero costs no digits.
  load<V>(parameters.running_mean + place.channel, origin);
  sum_rows(x, layout, place, origin, sum, square);
  sum_over_block<V>(sum, square, layout, place.lane, sums);
  if (!sum_over_strips<V>(layout, sums, partial, done)) return;
  const int slab = layout.lanes * V;
  if (members.own_sums) return write_sums(layout, slab, sums, members.own_sums);
  const std::int64_t first_channel = static_cast<std::int64_t>(blockIdx.x) * slab;
  sum_over_members(members.exchange, layout, first_channel, slab, sums);
  finish_statistics(layout, layout.rows * members.exchange.size, first_channel, slab, sums,
                    parameters, saved);
}

__global__ void __launch_bounds__(kThreads)
    finish_statistics_of(NormLayout layout, const float* sums, NormParameters parameters,
                         float* saved) {
  finish_statistics(layout, layout.rows, 0, static_cast<int>(layout.channels), sums, parameters,
                    saved);
}

constexpr int kPartsThreads = 1024, kPartsChannels = 64;

__global__ void __launch_bounds__(kPartsThreads)
    finish_statistics_of_parts(NormLayout layout, const float* of_parts, int parts,
                               NormParameters parameters, float* saved, NormMembers members) {
  constexpr int kValues = 2 * kPartsChannels, kShares = kPartsThreads / kValues;
  __shared__ float of_share[kShares][kValues];
  __shared__ float totals[kValues];
  const int value = threadIdx.x % kValues, share = threadIdx.x / kValues;
  const std::int64_t first_channel = std::int64_t{blockIdx.x} * kPartsChannels;
  const float* const from =
      of_parts + value / kPartsChannels * layout.channels + first_channel + value % kPartsChannels;
  float sum = 0;
#pragma unroll 8
  for (int part = share; part < parts; part += kShares) sum += from[part * 2 * layout.channels];
  of_share[share][value] = sum;
  __syncthreads();
  if (share == 0) {
    float total = 0;
#pragma unroll
    for (int i = 0; i < kShares; ++i) total += of_share[i][value];
    totals[value] = total;
  }
  __syncthreads();
  if (threadIdx.x >= kThreads) return;
  if (members.own_sums) {
    write_sums(layout, kPartsChannels, totals, members.own_sums);
  } else {
    sum_over_members(members.exchange, layout, first_channel, kPartsChannels, totals);
    finish_statistics(layout, layout.rows * members.exchange.size, first_channel, kPartsChannels,
                      totals, parameters, saved);
  }
}

template <class T, int V>
__device__ inline void apply_rows(const T* x, const float* saved, const T* residual,
                                  const float* residual_saved, bool relu, T* y,
                                  const NormLayout& layout, const NormPlace& place) {
  float scale[V], shift[V], residual_scale[V];
  load<V>(saved + place.channel, scale);
  load<V>(saved + layout.channels + place.channel, shift);
  if (residual_saved) {
    float residual_shift[V];
    load<V>(residual_saved + place.channel, residual_scale);
    load<V>(residual_saved + layout.channels + place.channel, residual_shift);
#pragma unroll
    for (int i = 0; i < V; ++i) shift[i] += residual_shift[i];
  } else {
#pragma unroll
    for (int i = 0; i < V; ++i) residual_scale[i] = 1;
  }
  struct Loaded {
    Packed<T, V> x, residual;
  };
  const auto both_of = [&](std::int64_t row) {
    const std::int64_t at = row * layout.channels + place.channel;
    Loaded loaded{fetch<V>(x + at), {}};
    if (residual) loaded.residual = fetch<V>(residual + at);
    return loaded;
  };
  for_rows<4>(place, both_of, [&](std::int64_t row, const Loaded& loaded) {
    float value[V], other[V];
    unpack(loaded.x, value);
    unpack(loaded.residual, other);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      float out = fmaf(value[i], scale[i], shift[i]);
      if (residual) out = fmaf(other[i], residual_scale[i], out);
      value[i] = relu ? positive(out) : out;
    }
    store<V>(value, y + row * layout.channels + place.channel);
  });
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    apply(NormLayout layout, const T* x, const float* saved, const T* residual,
          const float* residual_saved, bool relu, T* y) {
  apply_rows<T, V>(x, saved, residual, residual_saved, relu, y, layout, place_of<V>(layout));
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    forward_few(NormLayout layout, const T* x, NormParameters parameters, float* saved, T* y) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  float origin[V], sum[V] = {}, square[V] = {};
  load<V>(parameters.running_mean + place.channel, origin);
  sum_rows(x, layout, place, origin, sum, square);
  sum_over_block<V>(sum, square, layout, place.lane, sums);
  const int slab = layout.lanes * V;
  finish_statistics(layout, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab, slab, sums,
                    parameters, saved);
  __syncthreads();
  apply_rows<T, V>(x, saved, static_cast<const T*>(nullptr), nullptr, true, y, layout, place);
}

}  // namespace

std::int64_t norm_scratch_bytes(std::int64_t most_channels) {
  return kMostPartials * 4 + most_channels * 4;
}

void norm_statistics(const NormShape& shape, const void* x, const NormParameters& parameters,
                     float* saved, void* scratch, Stream stream, const NormMembers& members) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of_sums<T, V::value>(shape);
    launch("norm_statistics", statistics<T, V::value>, grid(layout), kThreads, 0, stream, layout,
           static_cast<const T*>(x), parameters, saved, partials(scratch), counters(scratch),
           members);
  });
}

void norm_statistics_of_parts(std::int64_t rows, std::int64_t channels, int parts,
                              const float* of_parts, const NormParameters& parameters, float* saved,
                              Stream stream, const NormMembers& members) {
  launch("norm_statistics_of_parts", finish_statistics_of_parts,
         static_cast<unsigned>(channels / kPartsChannels), kPartsThreads, 0, stream,
         layout_of_all(rows, channels), of_parts, parts, parameters, saved, members);
}

void norm_finish_statistics(std::int64_t rows, std::int64_t channels, const float* sums,
                            const NormParameters& parameters, float* saved, Stream stream) {
  launch("norm_finish_statistics", finish_statistics_of, 1U, kThreads, 0, stream,
         layout_of_all(rows, channels), sums, parameters, saved);
}

void norm_apply(const NormShape& shape, const void* x, const float* saved, const void* residual,
                const float* residual_saved, bool relu, void* y, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of<T, V::value>(shape, 8 * shape.processors, 8);
    launch("norm_apply", apply<T, V::value>, grid(layout), kThreads, 0, stream, layout,
           static_cast<const T*>(x), saved, static_cast<const T*>(residual), residual_saved, relu,
           static_cast<T*>(y));
  });
}

void norm_forward_few(const NormShape& shape, const void* x, const NormParameters& parameters,
                      float* saved, void* y, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of<T, V::value>(shape, 1, 1);
    launch("norm_forward_few", forward_few<T, V::value>, grid(layout), kThreads, 0, stream, layout,
           static_cast<const T*>(x), parameters, saved, static_cast<T*>(y));
  });
}

}  // namespace occam::cuda
