#include "worker/cuda/wide_convolution.h"

#include <algorithm>

#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/matrix.cuh"

namespace occam::cuda {
namespace {

using Bf16 = __nv_bfloat16;

constexpr int kChannels = kWideChannels, kSide = kWideSide;
constexpr int kShifts = 9;
constexpr int kPlaneChannels = 64;  // rows of 128 bytes: half of a pixel's channels
constexpr int kPlanes = kChannels / kPlaneChannels;
constexpr int kRowBytes = kPlaneChannels * 2, kChunks = kRowBytes / 16;
constexpr int kBorderedSide = kSide + 2, kPixels = kBorderedSide * kBorderedSide;
constexpr int kPlaneBytes = kPixels * kRowBytes, kImageBytes = kPlanes * kPlaneBytes;

// Two groups of four warps, each with half of the image's rows.
constexpr int kThreads = 256;
// A stage is one shift's weights of one plane; a few are in shared memory, in turn.
constexpr int kStages = kShifts * kPlanes, kSlots = 4, kAhead = 2;
constexpr int kStageBytes = kChannels * kRowBytes;
constexpr int kBytes = kSlots * kStageBytes + 2 * kImageBytes;

__device__ inline int place(int row, int chunk) {
  return row * kRowBytes + ((chunk ^ (row & 7)) << 4);
}
// As in convolution.cu: a lane is to have eight neighbouring outputs at a time.
__device__ inline int weight_row(int channel) {
  return (channel / 32 * 4 + channel % 8 / 2) * 8 + channel % 32 / 8 * 2 + channel % 2;
}

// The i-th sixteen bytes of an image with its border.
__device__ inline void copy_pixel(const Bf16* images, std::int64_t image, int i, Shared to) {
  const int chunk = i % kChunks, plane = i / kChunks % kPlanes, pixel = i / (kChunks * kPlanes);
  const int row = pixel / kBorderedSide - 1, column = pixel % kBorderedSide - 1;
  const bool outside = row < 0 || row >= kSide || column < 0 || column >= kSide;
  const Bf16* from = outside ? images
                             : images + ((image * kSide + row) * kSide + column) * kChannels +
                                   plane * kPlaneChannels + chunk * 8;
  copy_16(to + plane * kPlaneBytes + place(pixel, chunk), from, outside);
}
constexpr int kImageCopies = kPixels * kPlanes * kChunks;

// Forward: 128 rows of outputs x 64 inputs. Turned: twice (for halves of the inputs, which are the
// product's columns) 64 rows of outputs x 64 inputs.
template <bool kTurned>
__device__ inline void copy_stage(const Bf16* weights, int stage, Shared to) {
  const int shift = stage / kPlanes, plane = stage % kPlanes;
  for (int i = threadIdx.x; i < kChannels * kChunks; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;
    if constexpr (kTurned) {
      const int half = row / kPlaneChannels, output = plane * kPlaneChannels + row % kPlaneChannels;
      copy_16(to + place(row, chunk),
              weights + (output * kShifts + kShifts - 1 - shift) * kChannels +
                  half * kPlaneChannels + chunk * 8,
              false);
    } else {
      copy_16(to + place(weight_row(row), chunk),
              weights + (row * kShifts + shift) * kChannels + plane * kPlaneChannels + chunk * 8,
              false);
    }
  }
}

// A warp has two rows of 16 pixels of its group's eight.
__device__ inline int row_of(int block) {
  return static_cast<int>(threadIdx.x / 128 * 8 + 4 * block + threadIdx.x / 32 % 4);
}
using Sums = float[2][2][8][4];  // by row, half of the outputs

struct Inputs {
  std::uint32_t a[2][4][4];
};
__device__ inline void load_inputs(Shared image, int shift, int plane, Inputs& to) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int block = 0; block < 2; ++block) {
    const int pixel = (row_of(block) + shift / 3) * kBorderedSide + shift % 3 + lane % 16;
#pragma unroll
    for (int k = 0; k < 4; ++k)
      load_matrices(image + plane * kPlaneBytes + place(pixel, 2 * k + lane / 16), to.a[block][k]);
  }
}

template <bool kTurned>
__device__ inline void multiply_in_groups(const Inputs& inputs, Shared stage, bool adds,
                                          Sums& sum) {
  begin_groups();
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int block = 0; block < 2; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        multiply_add_group<!kTurned>(
            inputs.a[block][k],
            matrix_at(stage + half * (kStageBytes / 2) + k * (kTurned ? 16 * kRowBytes : 32)),
            adds || k > 0, sum[block][half]);
  end_groups();
}

template <bool kTurned>
__device__ inline void multiply_in_warps(const Inputs& inputs, Shared stage, bool adds, Sums& sum) {
  const int lane = threadIdx.x % 32;
  if (!adds)
#pragma unroll
    for (int i = 0; i < 128; ++i) sum[i / 64][i / 32 % 2][i / 4 % 8][i % 4] = 0;
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int pair = 0; pair < 4; ++pair) {
        std::uint32_t b[4];
        const Shared from = stage + half * (kStageBytes / 2);
        if constexpr (kTurned)
          load_transposed(from + place(16 * k + lane % 16, 2 * pair + lane / 16), b);
        else
          load_matrices(
              from + place(8 * (2 * pair + lane / 16) + lane % 8, 2 * k + lane / 8 % 2), b);
#pragma unroll
        for (int block = 0; block < 2; ++block)
#pragma unroll
          for (int j = 0; j < 2; ++j)
            multiply_add(inputs.a[block][k], b[2 * j], b[2 * j + 1],
                         sum[block][half][2 * pair + j]);
      }
}

template <bool kTurned>
__device__ inline void store_sums(const Sums& sum, std::int64_t image, Bf16* y) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int block = 0; block < 2; ++block)
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      Bf16* const to =
          y + ((image * kSide + row_of(block)) * kSide + 8 * low + lane / 4) * kChannels;
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int part = 0; part < 2; ++part) {
          const auto two = [&](int j) {
            const float(&four)[4] = sum[block][half][4 * part + j];
            return pack(four[2 * low], four[2 * low + 1]);
          };
          if constexpr (kTurned) {
#pragma unroll
            for (int j = 0; j < 4; ++j)
              *reinterpret_cast<std::uint32_t*>(to + 64 * half + 8 * (4 * part + j) +
                                                lane % 4 * 2) = two(j);
          } else {
            *reinterpret_cast<uint4*>(to + 64 * half + 32 * part + 8 * (lane % 4)) =
                uint4{two(0), two(1), two(2), two(3)};
          }
        }
    }
}

// Every block takes every gridDim.x-th image, and copies the next one and the stages to come while
// it multiplies.
template <bool kTurned>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_images(const Bf16* x, const Bf16* weights, Bf16* y, std::int64_t images) {
  const Shared slots = shared_memory(), inputs = slots + kSlots * kStageBytes;
  int slot = 0;
  for (int i = threadIdx.x; i < kImageCopies; i += kThreads) copy_pixel(x, blockIdx.x, i, inputs);
  for (int stage = 0; stage < kAhead; ++stage) {
    copy_stage<kTurned>(weights, stage, slots + stage * kStageBytes);
    end_copies();
  }
  Inputs operands[kPlanes];
  Sums sum;
  int now = 0;
  for (std::int64_t image = blockIdx.x; image < images; image += gridDim.x, now ^= 1) {
    const std::int64_t next = image + gridDim.x;
    const Shared here = inputs + now * kImageBytes, there = inputs + (now ^ 1) * kImageBytes;
#pragma unroll 1
    for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
      for (int plane = 0; plane < kPlanes; ++plane) {
        const int stage = shift * kPlanes + plane;
        copies_done<kAhead - 1>();
        show_groups();
        __syncthreads();
        if (stage == 0) load_inputs(here, 0, 0, operands[0]);
        const Shared of_stage = slots + slot * kStageBytes;
        if constexpr (kHasGroups)
          multiply_in_groups<kTurned>(operands[plane], of_stage, stage > 0, sum);
        else
          multiply_in_warps<kTurned>(operands[plane], of_stage, stage > 0, sum);
        // Nobody reads the slot any more that is filled here: its products were waited for.
        const int ahead = (stage + kAhead) % kStages;
        if (stage + kAhead < kStages || next < images)
          copy_stage<kTurned>(weights, ahead, slots + (slot + kAhead) % kSlots * kStageBytes);
        constexpr int kPerStage = 2;
        static_assert(kPerStage * kThreads * (kStages - kAhead) >= kImageCopies, "all in time");
#pragma unroll
        for (int i = 0; i < kPerStage; ++i) {
          const int copy = (stage * kPerStage + i) * kThreads + threadIdx.x;
          if (copy < kImageCopies && next < images) copy_pixel(x, next, copy, there);
        }
        end_copies();
        slot = (slot + 1) % kSlots;
        groups_done<1>();  // that still read the other operands
        if (plane == 0)
          load_inputs(here, shift, 1, operands[1]);
        else if (shift + 1 < kShifts)
          load_inputs(here, shift + 1, 0, operands[0]);
      }
    groups_done<0>();
    store_sums<kTurned>(sum, image, y);
  }
}

// --- launches ---------------------------------------------------------------------------------

template <bool kTurned>
void launch_images(std::int64_t images, int processors, const void* x, const void* weights, void* y,
                   Stream stream) {
  launch("wide_convolve", convolve_images<kTurned>,
         static_cast<unsigned>(std::min<std::int64_t>(images, processors)), kThreads, kBytes,
         stream, static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights),
         static_cast<Bf16*>(y), images);
}

}  // namespace

void wide_convolve(std::int64_t images, int processors, const void* x, const void* weights, void* y,
                   Stream stream) {
  launch_images<false>(images, processors, x, weights, y, stream);
}

void wide_convolve_backward_input(std::int64_t images, int processors, const void* dy,
                                  const void* weights, void* dx, Stream stream) {
  launch_images<true>(images, processors, dy, weights, dx, stream);
}

}  // namespace occam::cuda
