#include "worker/cuda/convolution.h"

#include <algorithm>

#include "experiments/error.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/matrix.cuh"

namespace occam::cuda {
namespace {

using Bf16 = __nv_bfloat16;

constexpr int kChannels = kConvolutionChannels;
constexpr int kRowBytes = kChannels * 2;  // of a pixel, and of a weight's inputs
constexpr int kChunks = kRowBytes / 16;
constexpr int kShifts = 9;
constexpr int kWeights = kShifts * kChannels * kChannels;
constexpr int kWeightBytes = kWeights * 2;

// Tiles of so many rows, with a border of one pixel when they are inputs.
constexpr int kColumns = kConvolutionColumns, kBorderedColumns = kColumns + 2;
template <int rows>
constexpr int kPixels = rows* kColumns;
template <int rows>
constexpr int kBorderedPixels = (rows + 2) * kBorderedColumns;
// What the tensor cores read repeats every 1,024 bytes.
template <int rows>
constexpr int kBorderedBytes = (kBorderedPixels<rows> * kRowBytes + 1023) / 1024 * 1024;

constexpr int kGroup = 128;  // threads
// Two groups, each with tiles of its own, so that one multiplies while the other stores.
constexpr int kRows = 4, kThreads = 2 * kGroup;
// A group for each of the three rows of shifts, on the same tiles.
constexpr int kGradientRows = 8, kGradientThreads = 3 * kGroup;

// Lane 4 n + q of a warp gets columns 8 j + 2 q and 8 j + 2 q + 1 of a product. It is to have eight
// neighbouring output channels twice, so this is the row in which an output's weights lie.
__device__ inline int weight_row(int channel) {
  return (channel / 32 * 4 + channel % 8 / 2) * 8 + channel % 32 / 8 * 2 + channel % 2;
}

struct Tile {
  std::int64_t image;
  int row, column;
};
__device__ inline Tile tile_of(std::int64_t index, int rows, int side) {
  const int across = side / kColumns;
  const int each = (side / rows) * across;
  const int within = static_cast<int>(index % each);
  return {index / each, within / across * rows, within % across * kColumns};
}

// The i-th sixteen bytes of a tile of pixels with one more all around, zeros outside of the image.
__device__ inline void copy_bordered(const Bf16* images, const Tile& tile, int side, int i,
                                     Shared to) {
  const int pixel = i / kChunks, chunk = i % kChunks;
  const int row = tile.row + pixel / kBorderedColumns - 1;
  const int column = tile.column + pixel % kBorderedColumns - 1;
  const bool outside = row < 0 || row >= side || column < 0 || column >= side;
  const Bf16* from =
      outside ? images
              : images + ((tile.image * side + row) * side + column) * kChannels + chunk * 8;
  copy_16(to + place_128(pixel, chunk), from, outside);
}
__device__ inline void copy_plain(const Bf16* images, const Tile& tile, int side, int i,
                                  Shared to) {
  const int pixel = i / kChunks, chunk = i % kChunks;
  const int row = tile.row + pixel / kColumns, column = tile.column + pixel % kColumns;
  copy_16(to + place_128(pixel, chunk),
          images + ((tile.image * side + row) * side + column) * kChannels + chunk * 8, false);
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
    const int pixel =
        (row_of(half) + shift / 3) * kBorderedColumns + column_of_warp() + shift % 3 + lane % 16;
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
    const float2 values{__uint_as_float(two << 16), __uint_as_float(two & 0xffff0000U)};
    const float first = values.x - origin[i], second = values.y - origin[i + 1];
    sum[i] += first;
    square[i] += first * first;
    sum[i + 1] += second;
    square[i + 1] += second * second;
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
  constexpr int kBytes = kBorderedBytes<kRows>;
  const Shared kept = shared_memory();
  if constexpr (kTurned)
    load_turned_weights(weights, kept, kept + kWeightBytes);
  else
    load_weights(weights, kept);
  const int group = threadIdx.x / kGroup, thread = threadIdx.x % kGroup;
  const Shared inputs = kept + kWeightBytes + group * 2 * kBytes;  // two tiles
  const auto copy = [&](std::int64_t number, int buffer) {
    if (number < tiles)
      for (int i = thread; i < kBorderedPixels<kRows> * kChunks; i += kGroup)
        copy_bordered(x, tile_of(number, kRows, side), side, i, inputs + buffer * kBytes);
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
    store_sums(sum, tile_of(index, kRows, side), side, y, statistics);
    copies_done<0>();
    wait_for_group(group + 1);
    index = next;
  }
  statistics.write(sums.parts + static_cast<std::int64_t>(blockIdx.x) * 2 * kChannels);
}

// The gradient of the weights of three shifts of one row, 64 outputs x 64 inputs, by four warps. In
// groups a warp has 16 outputs and all inputs, else 32 outputs and 32 inputs.
using GradientSums = float[3][8][4];

__device__ inline void add_in_groups(Shared inputs, Shared outputs, GradientSums& sum) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / 128;
  const int pixel = lane % 8 + lane / 16 * 8;
  const Shared of_output = outputs + place_128(pixel, 2 * warp + lane / 8 % 2);
  std::uint32_t a[2][4];
  load_transposed(of_output, a[0]);
#pragma unroll 1
  for (int row = 0; row < kGradientRows; ++row)
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      begin_groups();
#pragma unroll
      for (int right = 0; right < 3; ++right)
        multiply_add_group<false>(
            a[part],
            matrix_at(inputs + ((row + down) * kBorderedColumns + 16 * part + right) * kRowBytes),
            true, sum[right]);
      end_groups();
      groups_done<1>();  // that still read the other outputs
      const int next = 2 * row + part + 1;
      if (next < 2 * kGradientRows) load_transposed(of_output + 16 * next * kRowBytes, a[part ^ 1]);
    }
  groups_done<0>();
}

__device__ inline void add_in_warps(Shared inputs, Shared outputs, GradientSums& sum) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / 128;
  const int output = warp % 2 * 32, input = warp / 2 * 32;
#pragma unroll 1
  for (int step = 0; step < 2 * kGradientRows; ++step) {
    std::uint32_t a[2][4];
    const int pixel = 16 * step + lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half)
      load_transposed(outputs + place_128(pixel, output / 8 + 2 * half + lane / 8 % 2), a[half]);
#pragma unroll
    for (int right = 0; right < 3; ++right)
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {
        const int shifted = (step / 2 + down) * kBorderedColumns + step % 2 * 16 + right +
                            lane % 8 + lane / 8 % 2 * 8;
        std::uint32_t b[4];
        load_transposed(inputs + place_128(shifted, input / 8 + 2 * pair + lane / 16), b);
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
          for (int j = 0; j < 2; ++j)
            multiply_add(a[half], b[2 * j], b[2 * j + 1], sum[right][4 * half + 2 * pair + j]);
      }
  }
}

// A block's part of the weights' gradient, over its tiles.
__global__ void __launch_bounds__(kGradientThreads, 1)
    weight_gradient(const Bf16* dy, const Bf16* x, float* partial, std::int64_t tiles, int side) {
  constexpr int kBytes = kBorderedBytes<kGradientRows>;
  constexpr int kOutputBytes = kPixels<kGradientRows> * kRowBytes;
  const Shared inputs = shared_memory();  // two tiles, then two of the outputs
  const Shared outputs = inputs + 2 * kBytes;
  const auto copy = [&](std::int64_t number, int buffer) {
    const Tile tile = tile_of(number, kGradientRows, side);
    for (int i = threadIdx.x; i < kBorderedPixels<kGradientRows> * kChunks; i += kGradientThreads)
      copy_bordered(x, tile, side, i, inputs + buffer * kBytes);
    for (int i = threadIdx.x; i < kPixels<kGradientRows> * kChunks; i += kGradientThreads)
      copy_plain(dy, tile, side, i, outputs + buffer * kOutputBytes);
  };
  GradientSums sum = {};
  std::int64_t index = blockIdx.x;
  copy(index, 0);
  end_copies();
  for (int now = 0; index < tiles; now ^= 1) {
    const std::int64_t next = index + gridDim.x;
    if (next < tiles) copy(next, now ^ 1);
    end_copies();
    copies_done<1>();
    show_groups();
    __syncthreads();
    if constexpr (kHasGroups)
      add_in_groups(inputs + now * kBytes, outputs + now * kOutputBytes, sum);
    else
      add_in_warps(inputs + now * kBytes, outputs + now * kOutputBytes, sum);
    __syncthreads();
    index = next;
  }
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / 128;
  float* const mine = partial + static_cast<std::int64_t>(blockIdx.x) * kWeights;
#pragma unroll
  for (int right = 0; right < 3; ++right)
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int low = 0; low < 2; ++low) {
        const int first = kHasGroups ? 16 * warp : warp % 2 * 32 + j / 4 * 16;
        const int output = first + 8 * low + lane / 4;
        const int input = (kHasGroups ? 8 * j : warp / 2 * 32 + j % 4 * 8) + 2 * (lane % 4);
        *reinterpret_cast<float2*>(mine + (output * kShifts + 3 * down + right) * kChannels +
                                   input) =
            float2{sum[right][j][2 * low], sum[right][j][2 * low + 1]};
      }
}

__global__ void __launch_bounds__(kThreads)
    sum_of_parts(const float* partial, int parts, Bf16* dweights) {
  const int at = (blockIdx.x * kThreads + threadIdx.x) * 2;
  float2 sum{0, 0};
#pragma unroll 8
  for (int part = 0; part < parts; ++part) {
    const float2 one = __ldcg(
        reinterpret_cast<const float2*>(partial + static_cast<std::int64_t>(part) * kWeights + at));
    sum.x += one.x;
    sum.y += one.y;
  }
  *reinterpret_cast<std::uint32_t*>(dweights + at) = pack(sum.x, sum.y);
}

// --- launches ---------------------------------------------------------------------------------

std::int64_t tiles_of(const ConvolutionShape& shape, int rows) {
  if (shape.side % kColumns != 0 || shape.images < 1)
    throw Error("convolutions of 64 channels take sides that are multiples of 32");
  return shape.images * (shape.side / rows) * (shape.side / kColumns);
}
unsigned blocks_of(const ConvolutionShape& shape, std::int64_t most) {
  return static_cast<unsigned>(std::min<std::int64_t>(most, shape.processors));
}
unsigned gradient_blocks(const ConvolutionShape& shape) {
  return blocks_of(shape, tiles_of(shape, kGradientRows));
}

constexpr int kConvolveBytes = kWeightBytes + 4 * kBorderedBytes<kRows>;
constexpr int kGradientBytes =
    2 * (kBorderedBytes<kGradientRows> + kPixels<kGradientRows> * kRowBytes);
static_assert(kWeightBytes <= 4 * kBorderedBytes<kRows>, "weights are turned in the tiles' place");

unsigned blocks_of(const ConvolutionShape& shape) {
  return blocks_of(shape, (tiles_of(shape, kRows) + 1) / 2);
}

template <bool kTurned, class S>
void launch_tiles(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                  const ConvolutionSums& sums, Stream stream) {
  launch("convolve", convolve_tiles<kTurned, S>, blocks_of(shape), kThreads, kConvolveBytes, stream,
         static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights), static_cast<Bf16*>(y),
         tiles_of(shape, kRows), static_cast<int>(shape.side), sums);
}

}  // namespace

int convolution_shared_bytes() {
  constexpr int kStatisticsBytes = kThreads / 32 * 2 * kChannels * sizeof(float);
  return std::max(kConvolveBytes + kStatisticsBytes, kGradientBytes);
}

int convolution_parts(const ConvolutionShape& shape) { return static_cast<int>(blocks_of(shape)); }

void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const ConvolutionSums& sums, Stream stream) {
  if (sums.parts)
    launch_tiles<false, Statistics>(shape, x, weights, y, sums, stream);
  else
    launch_tiles<false, NoStatistics>(shape, x, weights, y, sums, stream);
}

void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, Stream stream) {
  launch_tiles<true, NoStatistics>(shape, dy, weights, dx, {}, stream);
}

std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape) {
  return static_cast<std::int64_t>(gradient_blocks(shape)) * kWeights * 4;
}

void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream) {
  const unsigned blocks = gradient_blocks(shape);
  launch("convolve_backward_weights", weight_gradient, blocks, kGradientThreads, kGradientBytes,
         stream, static_cast<const Bf16*>(dy), static_cast<const Bf16*>(x),
         static_cast<float*>(scratch), tiles_of(shape, kGradientRows),
         static_cast<int>(shape.side));
  launch("convolve_backward_weights", sum_of_parts, kWeights / (2 * kThreads), kThreads, 0, stream,
         static_cast<const float*>(scratch), static_cast<int>(blocks),
         static_cast<Bf16*>(dweights));
}

}  // namespace occam::cuda
