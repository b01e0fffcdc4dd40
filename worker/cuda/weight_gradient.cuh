#pragma once

#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"

// The gradient of a convolution's weights: a block takes 64 outputs x 64 inputs of every n-th tile,
// then the blocks' parts are added up.

namespace occam::cuda {

constexpr int kPartWeights = kPlaneChannels * kShifts * kPlaneChannels;
// A group for each of the three rows of shifts, on the same tiles.
constexpr int kGradientThreads = 3 * kGroup, kSumThreads = 256;

// Of three shifts of one row, 64 outputs x 64 inputs, by four warps. In groups a warp has 16
// outputs and all inputs, else 32 outputs and 32 inputs. Sixteen neighbouring pixels at a time.
using GradientSums = float[3][8][4];

template <class G>
constexpr int kSteps = G::kPixels / 16;
// Where in a bordered tile the first of a step's pixels is, with the shift to the row's start.
template <class G>
__device__ inline int shifted_pixel(int step, int down) {
  constexpr int kAcross = G::kColumns / 16;
  return (step / kAcross + down) * G::kBorderedColumns + step % kAcross * 16;
}

template <class G>
__device__ inline void add_in_groups(Shared inputs, Shared outputs, GradientSums& sum) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / kGroup;
  const int pixel = lane % 8 + lane / 16 * 8;
  const Shared of_output = outputs + place_128(pixel, 2 * warp + lane / 8 % 2);
  std::uint32_t a[2][4];
  load_transposed(of_output, a[0]);
#pragma unroll 1
  for (int first = 0; first < kSteps<G>; first += 2)
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      const int step = first + part;
      begin_groups();
#pragma unroll
      for (int right = 0; right < 3; ++right)
        multiply_add_group<false>(
            a[part], matrix_at(inputs + (shifted_pixel<G>(step, down) + right) * kRowBytes), true,
            sum[right]);
      end_groups();
      groups_done<1>();  // that still read the other outputs
      if (step + 1 < kSteps<G>)
        load_transposed(of_output + 16 * (step + 1) * kRowBytes, a[part ^ 1]);
    }
  groups_done<0>();
}

template <class G>
__device__ inline void add_in_warps(Shared inputs, Shared outputs, GradientSums& sum) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / kGroup;
  const int output = warp % 2 * 32, input = warp / 2 * 32;
#pragma unroll 1
  for (int step = 0; step < kSteps<G>; ++step) {
    std::uint32_t a[2][4];
    const int pixel = 16 * step + lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half)
      load_transposed(outputs + place_128(pixel, output / 8 + 2 * half + lane / 8 % 2), a[half]);
#pragma unroll
    for (int right = 0; right < 3; ++right)
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {
        const int shifted = shifted_pixel<G>(step, down) + right + lane % 8 + lane / 8 % 2 * 8;
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

// Block b takes planes b / planes % planes of the outputs and b % planes of the inputs.
template <class G>
__global__ void __launch_bounds__(kGradientThreads, 1)
    weight_gradient(const Bf16* dy, const Bf16* x, float* partial, std::int64_t tiles, int side) {
  constexpr int kParts = G::kPlanes * G::kPlanes;
  const int of_outputs = blockIdx.x / G::kPlanes % G::kPlanes, of_inputs = blockIdx.x % G::kPlanes;
  const Shared inputs = shared_memory();  // two tiles, then two of the outputs
  const Shared outputs = inputs + 2 * G::kBorderedBytes;
  const auto copy = [&](std::int64_t number, int buffer) {
    const Tile tile = tile_of<G>(number, side);
    for (int i = threadIdx.x; i < G::kBorderedPixels * kChunks; i += kGradientThreads)
      copy_bordered<G>(x, tile, of_inputs, side, i, inputs + buffer * G::kBorderedBytes);
    for (int i = threadIdx.x; i < G::kPixels * kChunks; i += kGradientThreads)
      copy_plain<G>(dy, tile, of_outputs, side, i, outputs + buffer * G::kBytes);
  };
  GradientSums sum = {};
  std::int64_t index = blockIdx.x / kParts;
  copy(index, 0);
  end_copies();
  for (int now = 0; index < tiles; now ^= 1) {
    const std::int64_t next = index + gridDim.x / kParts;
    if (next < tiles) copy(next, now ^ 1);
    end_copies();
    copies_done<1>();
    show_groups();
    __syncthreads();
    if constexpr (kHasGroups)
      add_in_groups<G>(inputs + now * G::kBorderedBytes, outputs + now * G::kBytes, sum);
    else
      add_in_warps<G>(inputs + now * G::kBorderedBytes, outputs + now * G::kBytes, sum);
    __syncthreads();
    index = next;
  }
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, down = threadIdx.x / kGroup;
  float* const mine = partial + static_cast<std::int64_t>(blockIdx.x) * kPartWeights;
#pragma unroll
  for (int right = 0; right < 3; ++right)
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int low = 0; low < 2; ++low) {
        const int first = kHasGroups ? 16 * warp : warp % 2 * 32 + j / 4 * 16;
        const int output = first + 8 * low + lane / 4;
        const int input = (kHasGroups ? 8 * j : warp / 2 * 32 + j % 4 * 8) + 2 * (lane % 4);
        *reinterpret_cast<float2*>(mine + (output * kShifts + 3 * down + right) * kPlaneChannels +
                                   input) =
            float2{sum[right][j][2 * low], sum[right][j][2 * low + 1]};
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
  const int part = output / kPlaneChannels * G::kPlanes + input / kPlaneChannels;
  const int within =
      (output % kPlaneChannels * kShifts + shift) * kPlaneChannels + input % kPlaneChannels;
  float2 sum{0, 0};
#pragma unroll 8
  for (int block = part; block < blocks; block += kParts) {
    const float2 one = __ldcg(reinterpret_cast<const float2*>(
        partial + static_cast<std::int64_t>(block) * kPartWeights + within));
    sum.x += one.x;
    sum.y += one.y;
  }
  *reinterpret_cast<std::uint32_t*>(dweights + at) = pack(sum.x, sum.y);
}

template <class G>
constexpr int kGradientBytes = 2 * (G::kBorderedBytes + G::kBytes);

template <class G>
unsigned gradient_blocks(const ConvolutionShape& shape) {
  constexpr int kParts = G::kPlanes * G::kPlanes;
  const std::int64_t each = std::clamp<std::int64_t>(shape.processors / kParts, 1, G::tiles(shape));
  return static_cast<unsigned>(each * kParts);
}
template <class G>
std::int64_t gradient_scratch_bytes(const ConvolutionShape& shape) {
  return std::int64_t{gradient_blocks<G>(shape)} * kPartWeights * 4;
}

template <class G>
void launch_weight_gradient(const ConvolutionShape& shape, const void* dy, const void* x,
                            void* dweights, void* scratch, Stream stream) {
  constexpr const char* kName = "convolve_backward_weights";
  constexpr int kWeights = G::kChannels * kShifts * G::kChannels;
  const unsigned blocks = gradient_blocks<G>(shape);
  launch(kName, weight_gradient<G>, blocks, kGradientThreads, kGradientBytes<G>, stream,
         static_cast<const Bf16*>(dy), static_cast<const Bf16*>(x), static_cast<float*>(scratch),
         G::tiles(shape), static_cast<int>(shape.side));
  launch(kName, sum_of_parts<G>, kWeights / (2 * kSumThreads), kSumThreads, 0, stream,
         static_cast<const float*>(scratch), static_cast<int>(blocks),
         static_cast<Bf16*>(dweights));
}

}  // namespace occam::cuda
