#include "worker/cuda/norm_layout.cuh"

namespace occam::cuda {

namespace {

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

template <class T, int V>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    statistics(NormLayout layout, const T* x, NormParameters parameters, float* saved,
               float* partial, unsigned* done, NormMembers members) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  float origin[V], sum[V] = {}, square[V] = {};
  load<V>(parameters.running_mean + place.channel, origin);
  sum_rows(x, layout, place, origin, sum, square);
  sum_over_block<V>(sum, square, layout, place.lane, sums);
  if (!sum_over_strips<V>(layout, sums, partial, done)) return;
  const int slab = layout.lanes * V;
  finish_statistics(layout.channels, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab,
                    slab, sums, parameters, saved, members);
}

__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    finish_statistics_of(std::int64_t rows, std::int64_t channels, const float* sums,
                         NormParameters parameters, float* saved) {
  finish_statistics(channels, rows, 0, static_cast<int>(channels), sums, parameters, saved);
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
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    apply(NormLayout layout, const T* x, const float* saved, const T* residual,
          const float* residual_saved, bool relu, T* y) {
  apply_rows<T, V>(x, saved, residual, residual_saved, relu, y, layout, place_of<V>(layout));
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    forward_few(NormLayout layout, const T* x, NormParameters parameters, float* saved, T* y) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  float origin[V], sum[V] = {}, square[V] = {};
  load<V>(parameters.running_mean + place.channel, origin);
  sum_rows(x, layout, place, origin, sum, square);
  sum_over_block<V>(sum, square, layout, place.lane, sums);
  const int slab = layout.lanes * V;
  finish_statistics(layout.channels, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab,
                    slab, sums, parameters, saved);
  __syncthreads();
  apply_rows<T, V>(x, saved, static_cast<const T*>(nullptr), nullptr, true, y, layout, place);
}

}  // namespace

std::int64_t norm_scratch_bytes(std::int64_t most_channels) {
  return kMostPartials * 4 + most_channels * 4;
}
unsigned* norm_counters(void* scratch) {
  return reinterpret_cast<unsigned*>(static_cast<float*>(scratch) + kMostPartials);
}

void norm_statistics(const NormShape& shape, const void* x, const NormParameters& parameters,
                     float* saved, void* scratch, Stream stream, const NormMembers& members) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of_sums<T, V::value>(shape);
    launch("norm_statistics", statistics<T, V::value>, grid(layout), kThreads, 0, stream, layout,
           static_cast<const T*>(x), parameters, saved, partials(scratch), norm_counters(scratch),
           members);
  });
}

void norm_finish_statistics(std::int64_t rows, std::int64_t channels, const float* sums,
                            const NormParameters& parameters, float* saved, Stream stream) {
  launch("norm_finish_statistics", finish_statistics_of, 1U, kThreads, 0, stream, rows, channels,
         sums, parameters, saved);
}

void norm_apply(const NormShape& shape, const void* x, const float* saved, const void* residual,
                const float* residual_saved, bool relu, void* y, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of_rows<T, V::value>(shape);
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
