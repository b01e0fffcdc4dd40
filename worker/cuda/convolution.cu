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

// Lane 4 n + q of a warp gets columns 8 j + 2 q and 8 j + 2 q + 1 of a product. It is to have eight
// neighbouring output channels twice, so this is the row in which an output's weights lie.
__device__ inline int weight_row(int channel) {
  return (channel / 32 * 4 + channel % 8 / 2) * 8 + channel % 32 / 8 * 2 + channel % 2;
}

// Weights as `shift x output x input` for the forward pass.
__device__ inline void load_weights(const Bf16* weights, Shared to) {
  for (int i = threadIdx.x; i < kWeights / 8; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;  // row = output x shift
    const int output = row / kShifts, shift = row % kShifts;
    copy_16(to + place_128(shift * kChannels + weight_row(output), chunk),
            weights + row * kChannels + chunk * 8, false);
  }
}

// Weights as `shift x input x output`, shifts turned around: what takes dy to dx.
__device__ inline void load_turned_weights(const Bf16* weights, Shared to, Shared work) {
  for (int i = threadIdx.x; i < kWeights / 8; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;
    const int output = row / kShifts, shift = row % kShifts;
    copy_16(work + place_128(shift * kChannels + output, chunk),
            weights + row * kChannels + chunk * 8, false);
  }
  end_copies();
  copies_done<0>();
  __syncthreads();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // Four blocks of 8 outputs x 8 inputs, one below the other.
  for (int i = warp; i < kShifts * kChunks * 2; i += kThreads / 32) {
    const int shift = i / (kChunks * 2), chunk = i / 2 % kChunks, first = i % 2 * 32;
    const int output = first + lane;
    std::uint32_t turned[4];
    load_transposed(work + place_128(shift * kChannels + output, chunk), turned);
    const int input = chunk * 8 + lane / 4;
#pragma unroll
    for (int block = 0; block < 4; ++block)
      store_4(
          to + place_128((kShifts - 1 - shift) * kChannels + weight_row(input), first / 8 + block) +
              lane % 4 * 4,
          turned[block]);
  }
  __syncthreads();
}

// A warp has two times 16 neighbouring pixels of its group's tile, in such rows that the four warps
// of the group together have two times two whole rows.
__device__ inline int row_of(int half) { return 2 * half + static_cast<int>(threadIdx.x / 64 % 2); }
__device__ inline int column_of_warp() { return static_cast<int>(threadIdx.x / 32 % 2) * 16; }

using Sums = float[2][8][4];  // of a warp: its pixels x 64 outputs

// The inputs of one shift that a warp multiplies.
struct Inputs {
  std::uint32_t a[2][4][4];
};
__device__ inline void load_inputs(Shared tile, int shift, Inputs& to) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int pixel = (row_of(half) + shift / 3) * Tiles::kBorderedColumns + column_of_warp() +
                      shift % 3 + lane % 16;
#pragma unroll
    for (int k = 0; k < 4; ++k)
      load_matrices(tile + place_128(pixel, 2 * k + lane / 16), to.a[half][k]);
  }
}

// Inputs are loaded one shift ahead, beside the arithmetic.
__device__ inline void multiply_in_groups(Shared tile, Shared weights, Sums& sum) {
  Inputs inputs[2];
  load_inputs(tile, 0, inputs[0]);
#pragma unroll
  for (int shift = 0; shift < kShifts; ++shift) {
    begin_groups();
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        multiply_add_group<true>(inputs[shift % 2].a[half][k],
                                 matrix_at(weights + shift * kChannels * kRowBytes + k * 32),
                                 shift + k > 0, sum[half]);
    end_groups();
    if (shift + 1 == kShifts) break;
    groups_done<1>();  // that still read the other inputs
    load_inputs(tile, shift + 1, inputs[(shift + 1) % 2]);
  }
  groups_done<0>();
}

__device__ inline void multiply_in_warps(Shared tile, Shared weights, Sums& sum) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int v = 0; v < 4; ++v) sum[half][j][v] = 0;
#pragma unroll 1
  for (int shift = 0; shift < kShifts; ++shift) {
    Inputs inputs;
    load_inputs(tile, shift, inputs);
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int pair = 0; pair < 4; ++pair) {
        const int row = 8 * (2 * pair + lane / 16) + lane % 8;
        std::uint32_t b[4];
        load_matrices(weights + place_128(shift * kChannels + row, 2 * k + lane / 8 % 2), b);
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
          for (int j = 0; j < 2; ++j)
            multiply_add(inputs.a[half][k], b[2 * j], b[2 * j + 1], sum[half][2 * pair + j]);
      }
  }
}

// Sums and sums of squares of a lane's 16 output channels about an origin, over its pixels.
struct Statistics {
  float origin[16], sum[16] = {}, square[16] = {};

  __device__ static int channel(int i) {
    return 32 * (i / 8) + 8 * static_cast<int>(threadIdx.x % 4) + i % 8;
  }
  __device__ explicit Statistics(const float* origins) {
#pragma unroll
    for (int i = 0; i < 16; ++i) origin[i] = origins[channel(i)];
  }
  __device__ void add(int i, std::uint32_t two) {
    add_squares(two, origin + i, sum + i, square + i);
  }
  // Of all threads of the block: a row of 64 sums, then one of squares.
  __device__ void write(float* to) {
    __shared__ float of_warp[kThreads / 32][2][kChannels];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        sum[i] += __shfl_xor_sync(~0U, sum[i], offset);
        square[i] += __shfl_xor_sync(~0U, square[i], offset);
      }
      if (lane >= 4) continue;
      of_warp[warp][0][channel(i)] = sum[i];
      of_warp[warp][1][channel(i)] = square[i];
    }
    __syncthreads();
    if (threadIdx.x >= 2 * kChannels) return;
    float total = 0;
#pragma unroll
    for (int w = 0; w < kThreads / 32; ++w) total += (&of_warp[w][0][0])[threadIdx.x];
    to[threadIdx.x] = total;
  }
};
struct NoStatistics {
  __device__ explicit NoStatistics(const float*) {}
  __device__ void add(int, std::uint32_t) {}
  __device__ void write(float*) {}
};

template <class S>
__device__ inline void store_sums(const Sums& sum, const Tile& tile, int side, Bf16* y,
                                  S& statistics) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      const int row = tile.row + row_of(half);
      const int column = tile.column + column_of_warp() + 8 * low + lane / 4;
      Bf16* to = y + ((tile.image * side + row) * side + column) * kChannels + 8 * (lane % 4);
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const auto two = [&](int j) {
          const std::uint32_t packed =
              pack(sum[half][4 * part + j][2 * low], sum[half][4 * part + j][2 * low + 1]);
          statistics.add(8 * part + 2 * j, packed);
          return packed;
        };
        *reinterpret_cast<uint4*>(to + 32 * part) = uint4{two(0), two(1), two(2), two(3)};
      }
    }
}

// Every group takes every n-th tile, and copies the next one while it multiplies.
template <bool kTurned, class S>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_tiles(const Bf16* x, const Bf16* weights, Bf16* y, std::int64_t tiles, int side,
                   ConvolutionSums sums) {
  constexpr int kBytes = Tiles::kBorderedBytes;
  const Shared kept = shared_memory();
  if constexpr (kTurned)
    load_turned_weights(weights, kept, kept + kWeightBytes);
  else
    load_weights(weights, kept);
  const int group = threadIdx.x / kGroup, thread = threadIdx.x % kGroup;
  const Shared inputs = kept + kWeightBytes + group * 2 * kBytes;  // two tiles
  const auto copy = [&](std::int64_t number, int buffer) {
    if (number < tiles)
      for (int i = thread; i < Tiles::kBorderedPixels * kChunks; i += kGroup)
        copy_bordered<Tiles>(x, tile_of<Tiles>(number, side), 0, side, i, inputs + buffer * kBytes);
    end_copies();
  };
  std::int64_t index = std::int64_t{2} * blockIdx.x + group;
  copy(index, 0);
  S statistics(sums.origin);
  copies_done<0>();
  show_groups();
  __syncthreads();
  for (int now = 0; index < tiles; now ^= 1) {
    const std::int64_t next = index + std::int64_t{2} * gridDim.x;
    copy(next, now ^ 1);
    Sums sum;
    if constexpr (kHasGroups)
      multiply_in_groups(inputs + now * kBytes, kept, sum);
    else
      multiply_in_warps(inputs + now * kBytes, kept, sum);
    store_sums(sum, tile_of<Tiles>(index, side), side, y, statistics);
    copies_done<0>();
    wait_for_group(group + 1);
    index = next;
  }
  statistics.write(sums.parts + static_cast<std::int64_t>(blockIdx.x) * 2 * kChannels);
}

// --- launches ---------------------------------------------------------------------------------

constexpr int kConvolveBytes = kWeightBytes + 4 * Tiles::kBorderedBytes;
constexpr int kStatisticsBytes = kThreads / 32 * 2 * kChannels * sizeof(float);
static_assert(kWeightBytes <= 4 * Tiles::kBorderedBytes, "weights are turned in the tiles' place");

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(
      std::min<std::int64_t>((Tiles::tiles(shape) + 1) / 2, shape.processors));
}

template <bool kTurned, class S>
void launch_tiles(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                  const ConvolutionSums& sums, Stream stream) {
  launch("convolve", convolve_tiles<kTurned, S>, blocks_of(shape), kThreads, kConvolveBytes, stream,
         static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights), static_cast<Bf16*>(y),
         Tiles::tiles(shape), static_cast<int>(shape.side), sums);
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
    launch_tiles<true, NoStatistics>(shape, dy, weights, dx, {}, stream);
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
