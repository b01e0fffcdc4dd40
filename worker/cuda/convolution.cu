#include "worker/cuda/convolution.h"

#include <algorithm>

#include "experiments/error.h"
#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/weight_gradient.cuh"
#include "worker/cuda/wide_convolution.h"

namespace occam::cuda {
namespace {

constexpr int kChannels = 64;
constexpr int kWeights = kShifts * kChannels * kChannels;
constexpr int kWeightBytes = kWeights * 2;

using Tiles = Geometry<kChannels, 4, 32>;
using GradientTiles = Geometry<kChannels, 8, 32>;

// Two groups, each with tiles of its own, so that one multiplies while the other stores.
constexpr int kThreads = 2 * kGroup;

// The product is 64 outputs x a tile's pixels as they lie, from a shift on: its rows and the two
// pixels of the border between them, whose sums are left.
constexpr int kTaken = Tiles::kRows * Tiles::kBorderedColumns;
constexpr int kEights = kTaken / 8;
using Sums = float[kEights][4];  // of a warp: 16 outputs
static_assert(sizeof(Sums) == sizeof(float[17][4]), "as multiply_add_136 has them");
// Of a tile that is stored, rounded up to a store's sixteen pixels.
constexpr int kStoredBytes = (kTaken + 15) / 16 * 16 * kRowBytes;

constexpr int kGroupBytes = 2 * Tiles::kBorderedBytes + kStoredBytes;
constexpr int kConvolveBytes = 2 * kGroupBytes + kWeightBytes;

// A warp's: 16 outputs x all inputs of every shift, in registers throughout.
using Weights = std::uint32_t[kShifts][4][4];

__device__ inline void copy_weights(const Bf16* weights, Shared to) {
  for (int i = threadIdx.x; i < kWeights / 8; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;  // output x shift
    const int output = row / kShifts, shift = row % kShifts;
    copy_16(to + place_128(shift * kChannels + output, chunk),
            weights + row * kChannels + chunk * 8, false);
  }
}
// kTurned: inputs and outputs exchanged and the shifts turned around, which takes dy to dx.
template <bool kTurned>
__device__ inline void load_weights(Shared from, Weights& to) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
  for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if constexpr (kTurned) {
        const int output = 16 * k + lane % 8 + lane / 16 * 8;
        load_transposed(
            from + place_128((kShifts - 1 - shift) * kChannels + output, 2 * warp + lane / 8 % 2),
            to[shift][k]);
      } else {
        const int output = 16 * warp + lane % 16;
        load_matrices(from + place_128(shift * kChannels + output, 2 * k + lane / 16),
                      to[shift][k]);
      }
}

__device__ inline int first_pixel(int shift) {
  return shift / 3 * Tiles::kBorderedColumns + shift % 3;
}

__device__ inline void multiply_in_groups(Shared tile, const Weights& weights, Sums& sum) {
  begin_groups();
#pragma unroll
  for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      multiply_add_136(weights[shift][k], matrix_at(tile + first_pixel(shift) * kRowBytes + k * 32),
                       shift + k > 0, sum);
  end_groups();
  groups_done<0>();
}

__device__ inline void multiply_in_warps(Shared tile, const Weights& weights, Sums& sum) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int j = 0; j < kEights; ++j)
#pragma unroll
    for (int v = 0; v < 4; ++v) sum[j][v] = 0;
#pragma unroll
  for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int j = 0; j < kEights; j += 2) {
        const int pixel = first_pixel(shift) + 8 * j + lane % 8 + lane / 16 * 8;
        std::uint32_t b[4];
        load_matrices(tile + place_128(pixel, 2 * k + lane / 8 % 2), b);
        multiply_add(weights[shift][k], b[0], b[1], sum[j]);
        if (j + 1 < kEights) multiply_add(weights[shift][k], b[2], b[3], sum[j + 1]);
      }
}

// Of a lane's sums the pixels 8 j + 2 (lane % 4) and the next are in a tile, or both in its border.
__device__ inline bool is_inside(int j) {
  return j == 0 || j % 4 != 0 || static_cast<int>(threadIdx.x % 4) != j / 4 - 1;
}
static_assert(Tiles::kColumns == 32, "the border is one lane further with every row");

// What is done beside storing a tile: with two neighbouring pixels of an output channel as they
// come, with eight channels of a pixel as they go, `index` being the first one's place, and, at the
// end, for all tiles of the block.

// Sums and sums of squares of a lane's two output channels about an origin, over its pixels.
struct Statistics {
  using Given = ConvolutionSums;
  float origin[2], sum[2] = {}, square[2] = {};

  __device__ static int channel(int half) {
    return static_cast<int>(16 * (threadIdx.x / 32 % 4) + 8 * half + threadIdx.x % 32 / 4);
  }
  __device__ Statistics(const Given& given, Shared)
      : origin{given.origin[channel(0)], given.origin[channel(1)]} {}
  __device__ void begin_tile() {}
  __device__ void take(std::int64_t, uint4&) {}
  __device__ void end_tile() {}
  __device__ void add(int half, std::uint32_t two) {
    const float first = __uint_as_float(two << 16) - origin[half];
    const float second = __uint_as_float(two & 0xffff0000U) - origin[half];
    sum[half] += first + second;
    square[half] += first * first + second * second;
  }
  // Of all threads of the block: a row of 64 sums, then one of squares.
  __device__ void write(float* to) {
    __shared__ float of_group[2][2][kChannels];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int offset = 1; offset < 4; offset *= 2) {
        sum[half] += __shfl_xor_sync(~0U, sum[half], offset);
        square[half] += __shfl_xor_sync(~0U, square[half], offset);
      }
      if (threadIdx.x % 4 > 0) continue;
      of_group[threadIdx.x / kGroup][0][channel(half)] = sum[half];
      of_group[threadIdx.x / kGroup][1][channel(half)] = square[half];
    }
    __syncthreads();
    if (threadIdx.x >= 2 * kChannels) return;
    to[threadIdx.x] = (&of_group[0][0][0])[threadIdx.x] + (&of_group[1][0][0])[threadIdx.x];
  }
};
struct Nothing {
  struct Given {
    float* parts = nullptr;
  };
  __device__ Nothing(const Given&, Shared) {}
  __device__ void add(int, std::uint32_t) {}
  __device__ void begin_tile() {}
  __device__ void take(std::int64_t, uint4&) {}
  __device__ void end_tile() {}
  __device__ void write(float*) {}
};

// What is stored is a gradient that goes on through a ReLU, with the sums that the norm before it
// wants. A thread's sums rest in shared memory between tiles.
template <bool kHasResidual, bool kHasOther>
struct ThroughRelu {
  using Given = NormBefore;
  const Given& given;
  Shared resting;
  EightThroughRelu<kHasResidual, kHasOther> eight;

  __device__ ThroughRelu(const Given& before, Shared room) : given(before), resting(room) {
    for (int i = 0; i < 16; ++i) store_4(place(i, threadIdx.x), 0);
  }
  __device__ Shared place(int i, int thread) const { return resting + (i * kThreads + thread) * 4; }
  __device__ void add(int, std::uint32_t) {}
  __device__ void begin_tile() {
    eight.look_up(given, kChannels, 8 * (threadIdx.x % kChunks));
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      eight.sum[i] = __uint_as_float(load_4(place(i, threadIdx.x)));
      eight.product[i] = __uint_as_float(load_4(place(8 + i, threadIdx.x)));
    }
  }
  __device__ void take(std::int64_t index, uint4& values) { eight.take(given, index, values); }
  __device__ void end_tile() {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      store_4(place(i, threadIdx.x), __float_as_uint(eight.sum[i]));
      store_4(place(8 + i, threadIdx.x), __float_as_uint(eight.product[i]));
    }
  }
  // Of all threads of the block: a row of 64 sums, then one of products.
  __device__ void write(float* to) {
    __syncthreads();
    if (threadIdx.x >= 2 * kChannels) return;
    const int i = threadIdx.x / kChannels * 8 + threadIdx.x % 8;
    float total = 0;
    for (int thread = threadIdx.x % kChannels / 8; thread < kThreads; thread += kChunks)
      total += __uint_as_float(load_4(place(i, thread)));
    to[threadIdx.x] = total;
  }
};

// Through shared memory, where the sums are turned around: pixels x outputs.
template <class Beside>
__device__ inline void store_sums(const Sums& sum, const Tile& tile, int side, Shared stored,
                                  Bf16* y, Beside& beside) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
  for (int j = 0; j < kEights; j += 2) {
    std::uint32_t packed[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int eight = j + i / 2, half = i % 2;
      if (eight == kEights) continue;
      packed[i] = pack(sum[eight][2 * half], sum[eight][2 * half + 1]);
      if (is_inside(eight)) beside.add(half, packed[i]);
    }
    store_transposed(stored + place_128(8 * (j + lane / 16) + lane % 8, 2 * warp + lane / 8 % 2),
                     packed);
  }
  wait_for_group(threadIdx.x / kGroup + 1);
  beside.begin_tile();
#pragma unroll 4
  for (int i = threadIdx.x % kGroup; i < Tiles::kPixels * kChunks; i += kGroup) {
    const int chunk = i % kChunks, row = i / kChunks / Tiles::kColumns,
              column = i / kChunks % Tiles::kColumns;
    const std::int64_t pixel = (tile.image * side + tile.row + row) * side + tile.column + column;
    uint4 eight = load_16(stored + place_128(row * Tiles::kBorderedColumns + column, chunk));
    beside.take(pixel * kChannels + 8 * chunk, eight);
    *reinterpret_cast<uint4*>(y + pixel * kChannels + 8 * chunk) = eight;
  }
  beside.end_tile();
}

// Every group takes every n-th tile, and copies the next one while it multiplies.
template <bool kTurned, class Beside>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_tiles(const Bf16* x, const Bf16* weights, Bf16* y, std::int64_t tiles, int side,
                   typename Beside::Given given) {
  constexpr int kBytes = Tiles::kBorderedBytes;
  const int group = threadIdx.x / kGroup, thread = threadIdx.x % kGroup;
  const Shared copied_weights = shared_memory() + 2 * kGroupBytes;
  const Shared inputs = shared_memory() + group * kGroupBytes;  // two tiles, then what is stored
  const auto copy = [&](std::int64_t number, int buffer) {
    if (number < tiles)
      for (int i = thread; i < Tiles::kBorderedPixels * kChunks; i += kGroup)
        copy_bordered<Tiles>(x, tile_of<Tiles>(number, side), 0, side, i, inputs + buffer * kBytes);
  };
  std::int64_t index = std::int64_t{2} * blockIdx.x + group;
  copy_weights(weights, copied_weights);
  copy(index, 0);
  end_copies();
  copies_done<0>();
  show_groups();
  __syncthreads();
  Weights kept;
  load_weights<kTurned>(copied_weights, kept);
  __syncthreads();
  Beside beside(given, copied_weights);  // whose place is free now
  for (int now = 0; index < tiles; now ^= 1) {
    const std::int64_t next = index + std::int64_t{2} * gridDim.x;
    copy(next, now ^ 1);
    end_copies();
    Sums sum;
    if constexpr (kHasGroups)
      multiply_in_groups(inputs + now * kBytes, kept, sum);
    else
      multiply_in_warps(inputs + now * kBytes, kept, sum);
    store_sums(sum, tile_of<Tiles>(index, side), side, inputs + 2 * kBytes, y, beside);
    copies_done<0>();
    show_groups();
    wait_for_group(group + 1);
    index = next;
  }
  beside.write(given.parts + static_cast<std::int64_t>(blockIdx.x) * 2 * kChannels);
}

// --- launches ---------------------------------------------------------------------------------

constexpr int kStatisticsBytes = 2 * 2 * kChannels * sizeof(float);

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(
      std::min<std::int64_t>((Tiles::tiles(shape) + 1) / 2, shape.processors));
}

template <bool kTurned, class Beside>
void launch_tiles(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                  const typename Beside::Given& given, Stream stream) {
  launch("convolve", convolve_tiles<kTurned, Beside>, blocks_of(shape), kThreads, kConvolveBytes,
         stream, static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights),
         static_cast<Bf16*>(y), Tiles::tiles(shape), static_cast<int>(shape.side), given);
}

// What cannot be done is an error, not a wrong result.
bool is_wide(const ConvolutionShape& shape) {
  if (convolution_shared_bytes(shape) == 0)
    throw Error("there is no kernel for convolutions of this shape");
  return shape.channels == kWideChannels;
}

}  // namespace

int convolution_shared_bytes(const ConvolutionShape& shape) {
  if (shape.images < 1) return 0;
  if (shape.channels == kWideChannels && shape.side == kWideSide) return wide_shared_bytes();
  if (shape.channels == kChannels && shape.side % Tiles::kColumns == 0)
    return std::max(kConvolveBytes + kStatisticsBytes, kGradientBytes<GradientTiles>);
  return 0;
}

int convolution_parts(const ConvolutionShape& shape) {
  return is_wide(shape) ? wide_parts(shape) : static_cast<int>(blocks_of(shape));
}

void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const ConvolutionSums& sums, Stream stream) {
  if (is_wide(shape))
    wide_convolve(shape, x, weights, y, sums, stream);
  else
    launch_tiles<false, Statistics>(shape, x, weights, y, sums, stream);
}

void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, Stream stream) {
  if (is_wide(shape))
    wide_convolve_backward_input(shape, dy, weights, dx, stream);
  else
    launch_tiles<true, Nothing>(shape, dy, weights, dx, {}, stream);
}

void convolve_backward_through_relu(const ConvolutionShape& shape, const void* dy,
                                    const void* weights, void* dx, const NormBefore& before,
                                    Stream stream) {
  if (is_wide(shape)) return wide_backward_through_relu(shape, dy, weights, dx, before, stream);
  with_before(before, [&]<class Residual, class Other>(Residual, Other) {
    launch_tiles<true, ThroughRelu<Residual::value, Other::value>>(shape, dy, weights, dx, before,
                                                                   stream);
  });
}

std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape) {
  return is_wide(shape) ? wide_scratch_bytes(shape) : gradient_scratch_bytes<GradientTiles>(shape);
}

void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream) {
  if (is_wide(shape))
    wide_convolve_backward_weights(shape, dy, x, dweights, scratch, stream);
  else
    launch_weight_gradient<GradientTiles>(shape, dy, x, dweights, scratch, stream);
}

}  // namespace occam::cuda
