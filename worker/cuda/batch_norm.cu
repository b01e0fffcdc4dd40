#include "worker/cuda/batch_norm.h"

#include <algorithm>
#include <stdexcept>

#include "experiments/error.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/exchange.cuh"

namespace occam::cuda {

void check_launch(const char* what) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw Error(std::string(what) + ": " + cudaGetErrorString(error));
}

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kMostLanes = 8;
constexpr int kUnroll = 4;
constexpr int kMostBlocks = 264;
constexpr float kEps = 1e-5F;

// A block takes a slab of neighbouring channels (`lanes` vectors) and a strip of rows. Threads of
// a warp read whole 128-byte lines: lanes of one row, then the next row.
struct Layout {
  int lanes, slabs, strips;
  std::int64_t rows, channels, rows_a_strip;
};

template <class T, int V>
Layout layout_of(const NormShape& shape, int most_blocks, int rows_a_thread) {
  Layout layout{};
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

struct Place {
  std::int64_t channel;  // first of the vector
  std::int64_t row, end;
  int step;  // rows from one of a thread to its next
  int lane;
};

template <int V>
__device__ inline Place place_of(const Layout& layout) {
  Place place;
  place.lane = threadIdx.x % layout.lanes;
  place.channel = (static_cast<std::int64_t>(blockIdx.x) * layout.lanes + place.lane) * V;
  place.step = kThreads / layout.lanes;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * layout.rows_a_strip;
  place.row = begin + threadIdx.x / layout.lanes;
  place.end = min(layout.rows, begin + layout.rows_a_strip);
  return place;
}

// Sums two vectors over the rows of a block: into sums[0…slab) and sums[slab…2 slab), slab = lanes
// V.
template <int V>
__device__ inline void sum_over_block(float (&first)[V], float (&second)[V], const Layout& layout,
                                      int lane, float* sums) {
  __shared__ float warps[kWarps][2 * kMostLanes * V];
#pragma unroll
  for (int i = 0; i < V; ++i)
    for (int offset = 16; offset >= layout.lanes; offset /= 2) {
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
__device__ inline bool sum_over_strips(const Layout& layout, float* sums, float* partial,
                                       unsigned* done) {
  if (layout.strips == 1) return true;
  const int values = 2 * layout.lanes * V;
  float* mine =
      partial + (static_cast<std::int64_t>(blockIdx.x) * layout.strips + blockIdx.y) * values;
  for (int i = threadIdx.x; i < values; i += kThreads) mine[i] = sums[i];
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last = atomicAdd(done + blockIdx.x, 1U) == static_cast<unsigned>(layout.strips) - 1;
    if (is_last) done[blockIdx.x] = 0;
  }
  __syncthreads();
  if (!is_last) return false;
  __threadfence();
  // Groups of threads take every n-th strip, four values a thread.
  const float4* all = reinterpret_cast<const float4*>(
      partial + static_cast<std::int64_t>(blockIdx.x) * layout.strips * values);
  const int quads = values / 4;
  const int groups = kThreads / quads;
  __shared__ float4 parts[kThreads];
  const int quad = threadIdx.x % quads;
  const int group = threadIdx.x / quads;
  float4 sum{0, 0, 0, 0};
  if (group < groups) {
#pragma unroll 4
    for (int strip = group; strip < layout.strips; strip += groups) {
      const float4 value = __ldcg(all + static_cast<std::int64_t>(strip) * quads + quad);
      sum.x += value.x;
      sum.y += value.y;
      sum.z += value.z;
      sum.w += value.w;
    }
    parts[threadIdx.x] = sum;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < values; i += kThreads) {
    float total = 0;
    for (int g = 0; g < groups; ++g) total += reinterpret_cast<const float*>(parts)[g * values + i];
    sums[i] = total;
  }
  __syncthreads();
  return true;
}

// One vector of x - origin and its square summed over a thread's rows.
template <class T, int V>
__device__ inline void sum_rows(const T* x, const Layout& layout, const Place& place,
                                const float (&origin)[V], float (&sum)[V], float (&square)[V]) {
  for (std::int64_t row = place.row; row < place.end; row += kUnroll * place.step) {
    float value[kUnroll][V];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      if (row + u * place.step < place.end)
        load<V>(x + (row + u * place.step) * layout.channels + place.channel, value[u]);
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      if (row + u * place.step < place.end)
#pragma unroll
        for (int i = 0; i < V; ++i) {
          const float centred = value[u][i] - origin[i];
          sum[i] += centred;
          square[i] += centred * centred;
        }
  }
}

// A slab's sums to their places among those of all channels: one row of firsts, one of seconds.
__device__ inline void write_sums(const Layout& layout, int slab, const float* sums, float* out) {
  const std::int64_t first_channel = static_cast<std::int64_t>(blockIdx.x) * slab;
  for (int i = threadIdx.x; i < slab; i += kThreads) {
    out[first_channel + i] = sums[i];
    out[layout.channels + first_channel + i] = sums[slab + i];
  }
}

// Adds up what the members have in `sums` for a slab, by the threads of one block.
__device__ inline void sum_over_members(const Exchange& exchange, const Layout& layout,
                                        std::int64_t first_channel, int slab, float* sums) {
  if (exchange.size == 1) return;
  const std::uint32_t round = round_of(exchange);
  const auto place = [&](int i) {
    return first_channel + (i < slab ? i : layout.channels + i - slab);
  };
  for (int i = threadIdx.x; i < 2 * slab; i += kThreads) send(exchange, round, place(i), sums[i]);
  for (int i = threadIdx.x; i < 2 * slab; i += kThreads)
    sums[i] = sum_of_members(exchange, round, place(i), sums[i]);
  __syncthreads();
}

// From the sums over so many rows to what is kept, by the threads of one block for the slab's
// channels.
__device__ inline void finish_statistics(const Layout& layout, std::int64_t of_rows,
                                         std::int64_t first_channel, int slab, const float* sums,
                                         const NormParameters& parameters, float* saved) {
  const auto rows = static_cast<float>(of_rows);
  for (int i = threadIdx.x; i < slab; i += kThreads) {
    const std::int64_t channel = first_channel + i;
    const float origin = parameters.running_mean[channel];
    const float offset = sums[i] / rows;
    const float mean = origin + offset;
    const float variance = fmaxf(0.0F, sums[slab + i] / rows - offset * offset);
    const float inverse = rsqrtf(variance + kEps);
    const float scale = parameters.gamma[channel] * inverse;
    saved[channel] = scale;
    saved[layout.channels + channel] = parameters.beta[channel] - mean * scale;
    saved[2 * layout.channels + channel] = mean;
    saved[3 * layout.channels + channel] = inverse;
    parameters.running_mean[channel] = origin + 0.1F * offset;
    const float unbiased = of_rows > 1 ? variance * (rows / (rows - 1)) : variance;
    float& running = parameters.running_variance[channel];
    running += 0.1F * (unbiased - running);
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    statistics(Layout layout, const T* x, NormParameters parameters, float* saved, float* partial,
               unsigned* done, NormMembers members) {
  const Place place = place_of<V>(layout);
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
    finish_statistics_of(Layout layout, const float* sums, NormParameters parameters,
                         float* saved) {
  finish_statistics(layout, layout.rows, 0, static_cast<int>(layout.channels), sums, parameters,
                    saved);
}

constexpr int kPartsThreads = 1024, kPartsChannels = 64;

__global__ void __launch_bounds__(kPartsThreads)
    finish_statistics_of_parts(Layout layout, const float* of_parts, int parts,
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
                                  const Layout& layout, const Place& place) {
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
  for (std::int64_t row = place.row; row < place.end; row += kUnroll * place.step) {
    float value[kUnroll][V], other[kUnroll][V];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const std::int64_t at = (row + u * place.step) * layout.channels + place.channel;
      if (row + u * place.step < place.end) {
        load<V>(x + at, value[u]);
        if (residual) load<V>(residual + at, other[u]);
      }
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const std::int64_t at = (row + u * place.step) * layout.channels + place.channel;
      if (row + u * place.step >= place.end) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        float out = fmaf(value[u][i], scale[i], shift[i]);
        if (residual) out = fmaf(other[u][i], residual_scale[i], out);
        value[u][i] = relu ? fmaxf(out, 0.0F) : out;
      }
      store<V>(value[u], y + at);
    }
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    apply(Layout layout, const T* x, const float* saved, const T* residual,
          const float* residual_saved, bool relu, T* y) {
  apply_rows<T, V>(x, saved, residual, residual_saved, relu, y, layout, place_of<V>(layout));
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    forward_few(Layout layout, const T* x, NormParameters parameters, float* saved, T* y) {
  const Place place = place_of<V>(layout);
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

// A thread's view of the gradient: g of one vector.
template <class T, int V, NormGradient::Mask M, bool kTwo>
struct Gradient {
  const T* a;
  const T* b;
  const T* y;
  float scale[V], shift[V];

  __device__ Gradient(const T* first, const T* second, const T* output, const float* saved,
                      const Layout& layout, const Place& place)
      : a(first), b(second), y(output) {
    if constexpr (M == NormGradient::Mask::x) {
      load<V>(saved + place.channel, scale);
      load<V>(saved + layout.channels + place.channel, shift);
    }
  }
  __device__ void at(std::int64_t index, const float (&x)[V], float (&g)[V]) const {
    load<V>(a + index, g);
    if constexpr (kTwo) {
      float more[V];
      load<V>(b + index, more);
#pragma unroll
      for (int i = 0; i < V; ++i) g[i] += more[i];
    }
    if constexpr (M == NormGradient::Mask::x) {
#pragma unroll
      for (int i = 0; i < V; ++i)
        if (!(fmaf(x[i], scale[i], shift[i]) > 0)) g[i] = 0;
    }
    if constexpr (M == NormGradient::Mask::y) {
      float value[V];
      load<V>(y + index, value);
#pragma unroll
      for (int i = 0; i < V; ++i)
        if (!(value[i] > 0)) g[i] = 0;
    }
  }
};

template <class T, int V, class G>
__device__ inline void sum_gradient(const G& gradient, const T* x, const float* saved, T* g_out,
                                    const Layout& layout, const Place& place, float (&sum)[V],
                                    float (&product)[V]) {
  float mean[V];
  load<V>(saved + 2 * layout.channels + place.channel, mean);
  constexpr int kRows = 2;
  for (std::int64_t row = place.row; row < place.end; row += kRows * place.step) {
    float value[kRows][V], g[kRows][V];
#pragma unroll
    for (int u = 0; u < kRows; ++u) {
      const std::int64_t at = (row + u * place.step) * layout.channels + place.channel;
      if (row + u * place.step < place.end) {
        load<V>(x + at, value[u]);
        gradient.at(at, value[u], g[u]);
      }
    }
#pragma unroll
    for (int u = 0; u < kRows; ++u) {
      if (row + u * place.step >= place.end) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) {
        sum[i] += g[u][i];
        product[i] += g[u][i] * (value[u][i] - mean[i]);
      }
      if (g_out) store<V>(g[u], g_out + (row + u * place.step) * layout.channels + place.channel);
    }
  }
}

// The gradients of gamma and beta, and dx' coefficients, from the sums over so many rows.
__device__ inline void finish_backward(const Layout& layout, std::int64_t of_rows,
                                       std::int64_t first_channel, int slab, const float* sums,
                                       const float* gamma, float* saved, float* gamma_gradient,
                                       float* beta_gradient) {
  const auto rows = static_cast<float>(of_rows);
  for (int i = threadIdx.x; i < slab; i += kThreads) {
    const std::int64_t channel = first_channel + i;
    const float inverse = saved[3 * layout.channels + channel];
    const float mean = saved[2 * layout.channels + channel];
    const float of_gamma = sums[slab + i] * inverse;
    gamma_gradient[channel] = of_gamma;
    beta_gradient[channel] = sums[i];
    const float scale = gamma[channel] * inverse;
    const float slope = -scale * inverse * of_gamma / rows;
    saved[4 * layout.channels + channel] = scale;
    saved[5 * layout.channels + channel] = slope;
    saved[6 * layout.channels + channel] = -scale * sums[i] / rows - slope * mean;
  }
}

template <class T, int V, class G>
__device__ inline void apply_gradient(const G& gradient, const T* x, const float* saved, T* dx,
                                      const Layout& layout, const Place& place) {
  float of_g[V], of_x[V], constant[V];
  load<V>(saved + 4 * layout.channels + place.channel, of_g);
  load<V>(saved + 5 * layout.channels + place.channel, of_x);
  load<V>(saved + 6 * layout.channels + place.channel, constant);
  constexpr int kRows = 2;
  for (std::int64_t row = place.row; row < place.end; row += kRows * place.step) {
    float value[kRows][V], g[kRows][V];
#pragma unroll
    for (int u = 0; u < kRows; ++u) {
      const std::int64_t at = (row + u * place.step) * layout.channels + place.channel;
      if (row + u * place.step < place.end) {
        load<V>(x + at, value[u]);
        gradient.at(at, value[u], g[u]);
      }
    }
#pragma unroll
    for (int u = 0; u < kRows; ++u) {
      if (row + u * place.step >= place.end) continue;
#pragma unroll
      for (int i = 0; i < V; ++i)
        g[u][i] = fmaf(g[u][i], of_g[i], fmaf(value[u][i], of_x[i], constant[i]));
      store<V>(g[u], dx + (row + u * place.step) * layout.channels + place.channel);
    }
  }
}

template <class T, int V, NormGradient::Mask M, bool kTwo>
__global__ void __launch_bounds__(kThreads)
    backward_sums(Layout layout, const T* a, const T* b, const T* y, const T* x, const float* gamma,
                  float* saved, T* g_out, float* gamma_gradient, float* beta_gradient,
                  float* partial, unsigned* done, NormMembers members) {
  const Place place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  const Gradient<T, V, M, kTwo> gradient(a, b, y, saved, layout, place);
  float sum[V] = {}, product[V] = {};
  sum_gradient<T, V>(gradient, x, saved, g_out, layout, place, sum, product);
  sum_over_block<V>(sum, product, layout, place.lane, sums);
  if (!sum_over_strips<V>(layout, sums, partial, done)) return;
  const int slab = layout.lanes * V;
  if (members.own_sums) return write_sums(layout, slab, sums, members.own_sums);
  const std::int64_t first_channel = static_cast<std::int64_t>(blockIdx.x) * slab;
  sum_over_members(members.exchange, layout, first_channel, slab, sums);
  finish_backward(layout, layout.rows * members.exchange.size, first_channel, slab, sums, gamma,
                  saved, gamma_gradient, beta_gradient);
}

__global__ void __launch_bounds__(kThreads)
    finish_backward_of(Layout layout, const float* sums, const float* gamma, float* saved,
                       float* gamma_gradient, float* beta_gradient) {
  finish_backward(layout, layout.rows, 0, static_cast<int>(layout.channels), sums, gamma, saved,
                  gamma_gradient, beta_gradient);
}

template <class T, int V, NormGradient::Mask M, bool kTwo>
__global__ void __launch_bounds__(kThreads)
    backward_apply(Layout layout, const T* a, const T* b, const T* y, const T* x,
                   const float* saved, T* dx) {
  const Place place = place_of<V>(layout);
  const Gradient<T, V, M, kTwo> gradient(a, b, y, saved, layout, place);
  apply_gradient<T, V>(gradient, x, saved, dx, layout, place);
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    backward_few(Layout layout, const T* a, const T* x, const float* gamma, float* saved,
                 float* gamma_gradient, float* beta_gradient, T* dx) {
  const Place place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  const Gradient<T, V, NormGradient::Mask::x, false> gradient(a, nullptr, nullptr, saved, layout,
                                                              place);
  float sum[V] = {}, product[V] = {};
  sum_gradient<T, V>(gradient, x, saved, static_cast<T*>(nullptr), layout, place, sum, product);
  sum_over_block<V>(sum, product, layout, place.lane, sums);
  const int slab = layout.lanes * V;
  finish_backward(layout, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab, slab, sums,
                  gamma, saved, gamma_gradient, beta_gradient);
  __syncthreads();
  apply_gradient<T, V>(gradient, x, saved, dx, layout, place);
}

dim3 grid(const Layout& layout) {
  return {static_cast<unsigned>(layout.slabs), static_cast<unsigned>(layout.strips), 1};
}

constexpr std::int64_t kMostPartials = std::int64_t{2} * kMostBlocks * kMostLanes * 8;

// Calls work(T{}, integral_constant<V>) for the element and the widest vector that divides the
// channels.
template <class Work>
void with_element(const NormShape& shape, Work work) {
  const auto with = [&]<class T>(T element) {
    if (shape.channels % kVector<T> == 0)
      work(element, std::integral_constant<int, kVector<T>>{});
    else
      throw Error("a GPU trains networks whose layers have multiples of " +
                  std::to_string(kVector<T>) + " channels; " + std::to_string(shape.channels) +
                  " is none (width, head_width)");
  };
  if (shape.element == Element::float32)
    with(float{});
  else
    with(__nv_bfloat16{});
}

// Calls work(integral_constant<Mask>, bool_constant<two>).
template <class Work>
void with_gradient(const NormGradient& gradient, Work work) {
  using Mask = NormGradient::Mask;
  const auto with = [&](auto mask) {
    if (gradient.b)
      work(mask, std::bool_constant<true>{});
    else
      work(mask, std::bool_constant<false>{});
  };
  switch (gradient.mask) {
    case Mask::none:
      return with(std::integral_constant<Mask, Mask::none>{});
    case Mask::x:
      return with(std::integral_constant<Mask, Mask::x>{});
    case Mask::y:
      return with(std::integral_constant<Mask, Mask::y>{});
  }
}

// Sums of more blocks than this take the last one long to add up.
int sum_blocks(const NormShape& shape) { return std::min(kMostBlocks, 2 * shape.processors); }

// The layout of a norm's sums over its rows.
template <class T, int V>
Layout layout_of_sums(const NormShape& shape) {
  return layout_of<T, V>(shape, sum_blocks(shape), 8);
}

// All channels in one block.
Layout layout_of_all(std::int64_t rows, std::int64_t channels) {
  Layout layout{};
  layout.rows = rows;
  layout.channels = channels;
  return layout;
}

float* partials(void* scratch) { return static_cast<float*>(scratch); }
unsigned* counters(void* scratch) {
  return reinterpret_cast<unsigned*>(static_cast<float*>(scratch) + kMostPartials);
}

}  // namespace

std::int64_t norm_scratch_bytes(std::int64_t most_channels) {
  return kMostPartials * 4 + most_channels * 4;
}

void norm_statistics(const NormShape& shape, const void* x, const NormParameters& parameters,
                     float* saved, void* scratch, Stream stream, const NormMembers& members) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const Layout layout = layout_of_sums<T, V::value>(shape);
    statistics<T, V::value>
        <<<grid(layout), kThreads, 0, stream>>>(layout, static_cast<const T*>(x), parameters, saved,
                                                partials(scratch), counters(scratch), members);
  });
  check_launch("norm_statistics");
}

void norm_statistics_of_parts(std::int64_t rows, std::int64_t channels, int parts,
                              const float* of_parts, const NormParameters& parameters, float* saved,
                              Stream stream, const NormMembers& members) {
  const auto blocks = static_cast<unsigned>(channels / kPartsChannels);
  finish_statistics_of_parts<<<blocks, kPartsThreads, 0, stream>>>(
      layout_of_all(rows, channels), of_parts, parts, parameters, saved, members);
  check_launch("norm_statistics_of_parts");
}

void norm_finish_statistics(std::int64_t rows, std::int64_t channels, const float* sums,
                            const NormParameters& parameters, float* saved, Stream stream) {
  finish_statistics_of<<<1, kThreads, 0, stream>>>(layout_of_all(rows, channels), sums, parameters,
                                                   saved);
  check_launch("norm_finish_statistics");
}

void norm_apply(const NormShape& shape, const void* x, const float* saved, const void* residual,
                const float* residual_saved, bool relu, void* y, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const Layout layout = layout_of<T, V::value>(shape, 8 * shape.processors, 8);
    apply<T, V::value><<<grid(layout), kThreads, 0, stream>>>(
        layout, static_cast<const T*>(x), saved, static_cast<const T*>(residual), residual_saved,
        relu, static_cast<T*>(y));
  });
  check_launch("norm_apply");
}

void norm_forward_few(const NormShape& shape, const void* x, const NormParameters& parameters,
                      float* saved, void* y, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const Layout layout = layout_of<T, V::value>(shape, 1, 1);
    forward_few<T, V::value><<<grid(layout), kThreads, 0, stream>>>(
        layout, static_cast<const T*>(x), parameters, saved, static_cast<T*>(y));
  });
  check_launch("norm_forward_few");
}

void norm_backward_sums(const NormShape& shape, const NormGradient& gradient, const void* x,
                        const float* gamma, float* saved, void* g, float* gamma_gradient,
                        float* beta_gradient, void* scratch, Stream stream,
                        const NormMembers& members) {
  with_element(shape, [&]<class T, class V>(T, V) {
    with_gradient(gradient, [&]<class M, class Two>(M, Two) {
      const Layout layout = layout_of_sums<T, V::value>(shape);
      backward_sums<T, V::value, M::value, Two::value><<<grid(layout), kThreads, 0, stream>>>(
          layout, static_cast<const T*>(gradient.a), static_cast<const T*>(gradient.b),
          static_cast<const T*>(gradient.y), static_cast<const T*>(x), gamma, saved,
          static_cast<T*>(g), gamma_gradient, beta_gradient, partials(scratch), counters(scratch),
          members);
    });
  });
  check_launch("norm_backward_sums");
}

void norm_finish_backward(std::int64_t rows, std::int64_t channels, const float* sums,
                          const float* gamma, float* saved, float* gamma_gradient,
                          float* beta_gradient, Stream stream) {
  finish_backward_of<<<1, kThreads, 0, stream>>>(layout_of_all(rows, channels), sums, gamma, saved,
                                                 gamma_gradient, beta_gradient);
  check_launch("norm_finish_backward");
}

void norm_backward_apply(const NormShape& shape, const NormGradient& gradient, const void* x,
                         const float* saved, void* dx, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    with_gradient(gradient, [&]<class M, class Two>(M, Two) {
      const Layout layout = layout_of<T, V::value>(shape, 8 * shape.processors, 8);
      backward_apply<T, V::value, M::value, Two::value><<<grid(layout), kThreads, 0, stream>>>(
          layout, static_cast<const T*>(gradient.a), static_cast<const T*>(gradient.b),
          static_cast<const T*>(gradient.y), static_cast<const T*>(x), saved, static_cast<T*>(dx));
    });
  });
  check_launch("norm_backward_apply");
}

void norm_backward_few(const NormShape& shape, const void* gradient, const void* x,
                       const float* gamma, float* saved, float* gamma_gradient,
                       float* beta_gradient, void* dx, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const Layout layout = layout_of<T, V::value>(shape, 1, 1);
    backward_few<T, V::value><<<grid(layout), kThreads, 0, stream>>>(
        layout, static_cast<const T*>(gradient), static_cast<const T*>(x), gamma, saved,
        gamma_gradient, beta_gradient, static_cast<T*>(dx));
  });
  check_launch("norm_backward_few");
}

}  // namespace occam::cuda
