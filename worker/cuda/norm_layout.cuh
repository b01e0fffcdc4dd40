#pragma once

#include <algorithm>

#include "experiments/error.h"
#include "worker/cuda/batch_norm.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/norm_sums.cuh"

// How the norms' kernels divide rows and channels among their blocks, and how these add up.

namespace occam::cuda {

// So small that a block finds room beside one of a convolution that has up to 192 registers for
// each of 256 threads, as all but two of those of 128 channels have.
constexpr int kThreads = 128, kBlocksAtOnce = 4;  // of a multiprocessor
constexpr int kWarps = kThreads / 32;
constexpr int kMostLanes = 8;
constexpr int kMostBlocks = 528;
constexpr int kStripsAtOnce = 12;

// A block takes a slab of neighbouring channels (`lanes` vectors) and a strip of rows. Threads of
// a warp read whole 128-byte lines: lanes of one row, then the next row.
struct NormLayout {
  int lanes, slabs, strips;
  std::int64_t rows, channels, rows_a_strip;
};

template <class T, int V>
NormLayout layout_of(const NormShape& shape, int most_blocks, int rows_a_thread) {
  NormLayout layout{};
  layout.rows = shape.rows;
  layout.channels = shape.channels;
  const auto vectors = static_cast<int>(shape.channels / V);
  layout.lanes = kMostLanes;
  while (vectors % layout.lanes != 0) layout.lanes /= 2;
  layout.slabs = vectors / layout.lanes;
  const int rows_at_once = kThreads / layout.lanes;
  const std::int64_t wanted =
      (shape.rows + rows_at_once * rows_a_thread - 1) / (rows_at_once * rows_a_thread);
  layout.strips = static_cast<int>(
      std::clamp<std::int64_t>(wanted, 1, std::max(1, most_blocks / layout.slabs)));
  layout.rows_a_strip = (shape.rows + layout.strips - 1) / layout.strips;
  return layout;
}

struct NormPlace {
  std::int64_t channel;  // first of the vector
  std::int64_t row, end;
  int step;  // rows from one of a thread to its next
  int lane;
};

template <int V>
__device__ inline NormPlace place_of(const NormLayout& layout) {
  NormPlace place;
  place.lane = threadIdx.x % layout.lanes;
  place.channel = (static_cast<std::int64_t>(blockIdx.x) * layout.lanes + place.lane) * V;
  place.step = kThreads / layout.lanes;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * layout.rows_a_strip;
  place.row = begin + threadIdx.x / layout.lanes;
  place.end = min(layout.rows, begin + layout.rows_a_strip);
  return place;
}

// Calls use(row, what load(row) gave) for a thread's rows, so many of which are loaded before the
// first is used: one that is used at once is waited for before the next is asked for. Of the last
// ones those behind the strip's end are loaded as its last row, and not used.
template <int kAtOnce, class Load, class Use>
__device__ inline void for_rows(const NormPlace& place, Load load, Use use) {
  using Loaded = decltype(load(place.row));
  std::int64_t row = place.row;
  for (; row + (kAtOnce - 1) * place.step < place.end; row += kAtOnce * place.step) {
    Loaded loaded[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) loaded[u] = load(row + u * place.step);
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) use(row + u * place.step, loaded[u]);
  }
  if (row >= place.end) return;
  Loaded loaded[kAtOnce - 1];
#pragma unroll
  for (int u = 0; u < kAtOnce - 1; ++u) loaded[u] = load(min(row + u * place.step, place.end - 1));
#pragma unroll
  for (int u = 0; u < kAtOnce - 1; ++u)
    if (row + u * place.step < place.end) use(row + u * place.step, loaded[u]);
}

// Sums two vectors over the rows of a block: into sums[0…slab) and sums[slab…2 slab), slab = lanes
// V.
template <int V>
__device__ inline void sum_over_block(float (&first)[V], float (&second)[V],
                                      const NormLayout& layout, int lane, float* sums) {
  __shared__ float warps[kWarps][2 * kMostLanes * V];
  for (int offset = 16; offset >= layout.lanes; offset /= 2)
#pragma unroll
    for (int i = 0; i < V; ++i) {
      first[i] += __shfl_xor_sync(~0U, first[i], offset);
      second[i] += __shfl_xor_sync(~0U, second[i], offset);
    }
  const int slab = layout.lanes * V;
  const int warp = threadIdx.x / 32;
  if (threadIdx.x % 32 < layout.lanes) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      warps[warp][lane * V + i] = first[i];
      warps[warp][slab + lane * V + i] = second[i];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 2 * slab; i += kThreads) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += warps[w][i];
    sums[i] = sum;
  }
  __syncthreads();
}

// Adds up the strips' sums of a slab, in their order, in the block that comes last; true there,
// with the totals in `sums`.
template <int V>
__device__ inline bool sum_over_strips(const NormLayout& layout, float* sums, float* partial,
                                       unsigned* done) {
  if (layout.strips == 1) return true;
  const int values = 2 * layout.lanes * V;
  float* mine =
      partial + (static_cast<std::int64_t>(blockIdx.x) * layout.strips + blockIdx.y) * values;
  for (int i = threadIdx.x; i < values; i += kThreads) mine[i] = sums[i];
  if (!is_last_block(done + blockIdx.x, layout.strips)) return false;
  // Groups of threads take every n-th strip, four values a thread.
  const float4* all = reinterpret_cast<const float4*>(
      partial + static_cast<std::int64_t>(blockIdx.x) * layout.strips * values);
  const int quads = values / 4;
  const int groups = kThreads / quads;
  __shared__ float4 parts[kThreads];
  const int quad = threadIdx.x % quads;
  const int group = threadIdx.x / quads;
  if (group < groups)
    parts[threadIdx.x] =
        sum_of_every<kStripsAtOnce>(all + quad, quads, group, layout.strips, groups);
  __syncthreads();
  for (int i = threadIdx.x; i < values; i += kThreads) {
    float total = 0;
    for (int g = 0; g < groups; ++g) total += reinterpret_cast<const float*>(parts)[g * values + i];
    sums[i] = total;
  }
  __syncthreads();
  return true;
}

inline dim3 grid(const NormLayout& layout) {
  return {static_cast<unsigned>(layout.slabs), static_cast<unsigned>(layout.strips), 1};
}

constexpr std::int64_t kMostPartials = std::int64_t{2} * kMostBlocks * kMostLanes * 8;

// Calls work(T{}, integral_constant<V>) for the element and the widest vector that divides the
// channels.
template <class Work>
void with_element(const NormShape& shape, Work work) {
  with_element(shape.element, [&]<class T>(T element) {
    if (shape.channels % kVector<T> == 0)
      work(element, std::integral_constant<int, kVector<T>>{});
    else
      throw Error("a GPU trains networks whose layers have multiples of " +
                  std::to_string(kVector<T>) + " channels; " + std::to_string(shape.channels) +
                  " is none (width, head_width)");
  });
}

// Sums of more blocks than this take the last one long to add up.
inline int sum_blocks(const NormShape& shape) {
  return std::min(kMostBlocks, kBlocksAtOnce * shape.processors);
}

// The layout of what goes over the rows and sums nothing.
template <class T, int V>
NormLayout layout_of_rows(const NormShape& shape) {
  return layout_of<T, V>(shape, 4 * kBlocksAtOnce * shape.processors, 8);
}

// The layout of a norm's sums over its rows.
template <class T, int V>
NormLayout layout_of_sums(const NormShape& shape) {
  return layout_of<T, V>(shape, sum_blocks(shape), 8);
}

inline float* partials(void* scratch) { return static_cast<float*>(scratch); }

}  // namespace occam::cuda
