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

using Tiles = Geometry<kChannels, 4, 32>;
using GradientTiles = Geometry<kChannels, 8, 32>;

// Two groups, each with tiles of its own.
constexpr int kThreads = 2 * kGroup;

// 64 outputs x a tile's pixels as they lie.
constexpr int kTaken = Tiles::kRows * Tiles::kBorderedColumns;
using Sums = float[kTaken / 8][4];
static_assert(kTaken == 136, "as multiply_add_136 has them");

// In shared memory: of each group two tiles of inputs and what is stored, the weights, barriers.
constexpr int kInputBytes = Tiles::kBorderedBytes;
constexpr int kStoredBytes = (kTaken + 15) / 16 * 16 * kRowBytes;
constexpr int kGroupBytes = 2 * kInputBytes + kStoredBytes;
constexpr int kShiftBytes = kChannels * kRowBytes, kWeightBytes = kShifts * kShiftBytes;
constexpr int kConvolveBytes = 2 * kGroupBytes + kWeightBytes + 5 * kBarrierBytes;

// A warp's: 16 outputs x all inputs of every shift, in registers throughout.
using Weights = std::uint32_t[kShifts][4][4];

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
        load_transposed(from + (kShifts - 1 - shift) * kShiftBytes +
                            place_128(output, 2 * warp + lane / 8 % 2),
                        to[shift][k]);
      } else {
        const int output = 16 * warp + lane % 16;
        load_matrices(from + shift * kShiftBytes + place_128(output, 2 * k + lane / 16),
                      to[shift][k]);
      }
}

__device__ inline void multiply(Shared tile, const Weights& weights, Sums& sum) {
  const std::uint64_t pixels = matrix_at(tile);
  begin_groups();
#pragma unroll
  for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      multiply_add_136(weights[shift][k],
                       pixels + by_pixels(first_pixel<Tiles>(shift)) + by_channels(16 * k),
                       shift + k > 0, sum);
  end_groups();
}

__device__ inline void write_sums(Statistics& statistics, Shared room, float* to) {
  statistics.put(room + threadIdx.x / kGroup * kPutBytes);
  __syncthreads();
  if (threadIdx.x >= 2 * kChannels) return;
  to[threadIdx.x] = __uint_as_float(load_4(room + 4 * threadIdx.x)) +
                    __uint_as_float(load_4(room + kPutBytes + 4 * threadIdx.x));
}
__device__ inline void write_sums(NoStatistics&, Shared, float*) {}

// Every group takes every n-th tile, and copies the next one while it multiplies. The groups take
// turns with the tensor cores, so that one stores while the other multiplies: they would else share
// them, and both store with nothing to multiply.
template <bool kTurned, class S>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_tiles(const __grid_constant__ Boxes x, const __grid_constant__ Boxes weights,
                   const __grid_constant__ Boxes y, int tiles, int side, ConvolutionSums sums) {
  constexpr int kGroupMeets = 1, kTurn = 3;  // the first group's numbers
  const Shared memory = uniform(shared_memory());
  const auto group = static_cast<int>(uniform(threadIdx.x / kGroup));
  const bool leads = threadIdx.x % kGroup == 0;
  const Shared inputs = memory + group * kGroupBytes, stored = inputs + 2 * kInputBytes;
  const Shared copied_weights = memory + 2 * kGroupBytes;
  const Barrier weights_here = copied_weights + kWeightBytes;
  const Barrier inputs_here = weights_here + (1 + 2 * group) * kBarrierBytes;
  const auto copy = [&](int index, int buffer) {
    const Barrier here = inputs_here + buffer * kBarrierBytes;
    arrive_expecting(here, Tiles::kBorderedPixels * kRowBytes);
    copy_box(inputs + buffer * kInputBytes, x, bordered_place(tile_of<Tiles>(index, side), 0), here);
  };
  if (threadIdx.x == 0) {
    for (int i = 0; i < 5; ++i) begin_barrier(weights_here + i * kBarrierBytes, 1);
    show_barriers();
    arrive_expecting(weights_here, kWeightBytes);
    for (int shift = 0; shift < kShifts; ++shift)
      copy_box(copied_weights + shift * kShiftBytes, weights, weight_place(0, shift, 0),
               weights_here);
  }
  __syncthreads();
  auto index = static_cast<int>(2 * blockIdx.x + group);
  const auto step = static_cast<int>(2 * gridDim.x);
  if (leads && index < tiles) copy(index, 0);
  S statistics(sums.origin);
  wait_for_phase(weights_here, 0);
  Weights kept;
  load_weights<kTurned>(copied_weights, kept);
  if (group == 1) pass(kTurn);
  for (int i = 0; index - group < tiles; ++i, index += step) {
    const int now = i % 2;
    if (leads && index + step < tiles) copy(index + step, now ^ 1);
    if (index < tiles) wait_for_phase(inputs_here + now * kBarrierBytes, i / 2);
    meet(kTurn + group);
    if (index >= tiles) break;
    Sums sum;
    multiply(inputs + now * kInputBytes, kept, sum);
    if (group == 0 || index - group + step < tiles) pass(kTurn + (group ^ 1));
    groups_done<0>();
    if (leads) stores_read();
    wait_for_group(kGroupMeets + group);
    put_product<Tiles>(sum, stored, statistics);
    show_groups();
    wait_for_group(kGroupMeets + group);
    if (leads) store_box(y, plain_place<Tiles>(tile_of<Tiles>(index, side), 0), stored);
  }
  if (leads) stores_read();
  __syncthreads();
  write_sums(statistics, memory, sums.parts + blockIdx.x * 2 * kChannels);
}

// --- launches ---------------------------------------------------------------------------------

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(std::min((Tiles::tiles(shape) + 1) / 2, shape.processors));
}

template <bool kTurned, class S>
void launch_tiles(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                  const ConvolutionSums& sums, Stream stream) {
  launch("convolve", convolve_tiles<kTurned, S>, blocks_of(shape), kThreads, kConvolveBytes, stream,
         bordered_boxes<Tiles>(x, shape), weight_boxes(weights, kChannels),
         plain_boxes<Tiles>(y, shape, Tiles::kBorderedColumns), Tiles::tiles(shape),
         static_cast<int>(shape.side), sums);
}

// What cannot be done is an error, not a wrong result.
bool is_wide(const ConvolutionShape& shape) {
  if (!has_convolution(shape))
    throw Error("there is no kernel for convolutions of this shape");
  return shape.channels == kWideChannels;
}

}  // namespace

bool has_convolution(const ConvolutionShape& shape) {
#ifdef OCCAM_WITHOUT_90A
  return false;
#endif
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 30;  // so that ints count tiles
  if (shape.images < 1 || shape.images * shape.side * shape.side > kMostPixels) return false;
  return (shape.channels == kWideChannels && shape.side == kWideSide) ||
         (shape.channels == kChannels && shape.side % Tiles::kColumns == 0);
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
