#pragma once

#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"

// The gradient of a convolution's weights: a block takes 64 outputs x 64 inputs of every n-th tile,
// then the blocks' parts are added up.

namespace occam::cuda {

template <class G>
constexpr int kPartWeights = kPlaneChannels* kShifts* G::kPlane;
// A group for each of the three rows of shifts, on the same tiles.
constexpr int kGradientThreads = 3 * kGroup, kSumThreads = 256;

// In shared memory: twice a tile of inputs and one of outputs, then a barrier for each.
template <class G>
constexpr int kOutputBytes = G::kPixels* kRowBytes;
template <class G>
constexpr int kTileBytes = G::kBorderedBytes + kOutputBytes<G>;
template <class G>
constexpr int kGradientBytes = 2 * (kTileBytes<G> + kBarrierBytes);

// Of the three shifts of one row: 64 outputs x 3 x a plane's inputs. Sixteen neighbouring pixels at
// a time, whose inputs a pixel further are the next shift's.
template <class G>
using GradientSums = float[3 * G::kPlane / 8][4];
template <class G>
__device__ inline void multiply_tile(Shared inputs, Shared outputs, bool adds,
                                     GradientSums<G>& sum) {
  constexpr int kAcross = G::kColumns / 16;
  const std::uint64_t dy = matrix_at(outputs);
  begin_groups();
#pragma unroll
  for (int i = 0; i < G::kPixels / 16; ++i) {
    const int first = i / kAcross * G::kBorderedColumns + i % kAcross * 16;
    if constexpr (G::kSlim)
      multiply_add_24<Major::columns, Major::rows>(
          dy + by_pixels(16 * i), slim_matrix_at(inputs, 8 * 16, 16) + first, adds || i > 0, sum);
    else
      multiply_add_192<Major::columns, Major::rows>(dy + by_pixels(16 * i),
                                                    matrix_at(inputs, kRowBytes) + by_pixels(first),
                                                    adds || i > 0, sum);
  }
  end_groups();
  groups_done<0>();
}

// Block b takes planes b / planes % planes of the outputs and b % planes of the inputs.
template <class G>
__global__ void __launch_bounds__(kGradientThreads, 1)
    weight_gradient(const __grid_constant__ Boxes dy, const __grid_constant__ Boxes x,
                    float* partial, int tiles, int side) {
  constexpr int kParts = G::kPlanes * G::kPlanes;
  const auto block = static_cast<int>(blockIdx.x), step = static_cast<int>(gridDim.x) / kParts;
  const int of_outputs = block / G::kPlanes % G::kPlanes, of_inputs = block % G::kPlanes;
  const auto down = static_cast<int>(uniform(threadIdx.x / kGroup));
  const Shared memory = uniform(shared_memory());
  const Barrier here = memory + 2 * kTileBytes<G>;
  const auto copy = [&](int index, int buffer) {
    const Tile tile = tile_of<G>(index, side);
    const Shared to = memory + buffer * kTileBytes<G>;
    const Barrier barrier = here + buffer * kBarrierBytes;
    arrive_expecting(barrier, G::kCopiedBytes + kOutputBytes<G>);
    copy_box(to, x, bordered_place(tile, of_inputs), barrier);
    copy_box(to + G::kBorderedBytes, dy, plain_place<G>(tile, of_outputs), barrier);
  };
  int index = block / kParts;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) begin_barrier(here + i * kBarrierBytes, 1);
    show_barriers();
    copy(index, 0);
  }
  __syncthreads();
  GradientSums<G> sum;
  for (int i = 0; index < tiles; ++i, index += step) {
    const int now = i % 2;
    if (threadIdx.x == 0 && index + step < tiles) copy(index + step, now ^ 1);
    wait_for_phase(here + now * kBarrierBytes, i / 2);
    const Shared tile = memory + now * kTileBytes<G>;
    multiply_tile<G>(tile + down * G::kBorderedColumns * G::kPlane * 2, tile + G::kBorderedBytes,
                     i > 0, sum);
    __syncthreads();
  }
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  float* const mine = partial + std::int64_t{block} * kPartWeights<G>;
#pragma unroll
  for (int j = 0; j < 3 * G::kPlane / 8; ++j)
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      const int output = 16 * warp + 8 * low + lane / 4, shift = 3 * down + j / (G::kPlane / 8);
      const int input = 8 * (j % (G::kPlane / 8)) + 2 * (lane % 4);
      *reinterpret_cast<float2*>(mine + (output * kShifts + shift) * G::kPlane + input) =
          float2{sum[j][2 * low], sum[j][2 * low + 1]};
    }
}

// `blocks` of them, by planes as above.
template <class G>
__global__ void __launch_bounds__(kSumThreads)
    sum_of_parts(const float* partial, int blocks, Bf16* dweights) {
  constexpr int kParts = G::kPlanes * G::kPlanes;
  const int at = (blockIdx.x * kSumThreads + threadIdx.x) * 2;
  const int input = at % G::kChannels, shift = at / G::kChannels % kShifts,
            output = at / (G::kChannels * kShifts);
  const int part = output / kPlaneChannels * G::kPlanes + input / G::kPlane;
  const int within = (output % kPlaneChannels * kShifts + shift) * G::kPlane + input % G::kPlane;
  float2 sum{0, 0};
#pragma unroll 8
  for (int block = part; block < blocks; block += kParts) {
    const float2 one = __ldcg(reinterpret_cast<const float2*>(
        partial + static_cast<std::int64_t>(block) * kPartWeights<G> + within));
    sum.x += one.x;
    sum.y += one.y;
  }
  *reinterpret_cast<std::uint32_t*>(dweights + at) = pack(sum.x, sum.y);
}

template <class G>
unsigned gradient_blocks(const ConvolutionShape& shape) {
  constexpr int kParts = G::kPlanes * G::kPlanes;
  return static_cast<unsigned>(std::clamp(shape.processors / kParts, 1, G::tiles(shape)) * kParts);
}
template <class G>
std::int64_t gradient_scratch_bytes(const ConvolutionShape& shape) {
  return std::int64_t{gradient_blocks<G>(shape)} * kPartWeights<G> * 4;
}

template <class G>
void launch_weight_gradient(const ConvolutionShape& shape, const void* dy, const void* x,
                            void* dweights, void* scratch, Stream stream) {
  constexpr const char* kName = "convolve_backward_weights";
  constexpr int kWeights = G::kPlanes * kPlaneChannels * kShifts * G::kChannels;
  static_assert(kWeights % (2 * kSumThreads) == 0);
  const unsigned blocks = gradient_blocks<G>(shape);
  launch(kName, weight_gradient<G>, blocks, kGradientThreads, kGradientBytes<G>, stream,
         plain_boxes<G>(dy, shape), bordered_boxes<G>(x, shape), static_cast<float*>(scratch),
         G::tiles(shape), static_cast<int>(shape.side));
  launch(kName, sum_of_parts<G>, kWeights / (2 * kSumThreads), kSumThreads, 0, stream,
         static_cast<const float*>(scratch), static_cast<int>(blocks),
         static_cast<Bf16*>(dweights));
}

}  // namespace occam::cuda
