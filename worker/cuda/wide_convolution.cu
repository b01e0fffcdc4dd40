#include "worker/cuda/wide_convolution.h"

#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/weight_gradient.cuh"

namespace occam::cuda {
namespace {

constexpr int kChannels = 128, kSide = 16;
using Image = Geometry<kChannels, kSide, kSide>;
constexpr int kPlanes = Image::kPlanes;
constexpr int kPlaneBytes = Image::kBorderedBytes, kImageBytes = kPlanes * kPlaneBytes;

// Two groups of four warps, each with 64 of the outputs.
constexpr int kThreads = 2 * kGroup;
constexpr int kGroupMeets = 1;  // the first group's number

// The group's outputs x half of the image's pixels as they lie, twice.
constexpr int kTaken = kSide / 2 * Image::kBorderedColumns;
using Sums = float[2][kTaken / 8][4];
static_assert(kTaken == 144, "as multiply_add_144 has them");

// A stage is one shift's weights of one plane, the groups' 64 outputs (forward) or inputs (turned)
// one behind the other; a few are in shared memory, in turn.
constexpr int kStages = kShifts * kPlanes, kSlots = 3;
constexpr int kHalfStage = kPlaneChannels * kRowBytes, kStageBytes = 2 * kHalfStage;

// In shared memory: two images, slots, and barriers for what is here and what the second group is
// done with, and of each group for what a norm's sums read.
constexpr int kSlotsAt = 2 * kImageBytes, kBarriersAt = kSlotsAt + kSlots * kStageBytes;
constexpr int kBarriers = 2 * (kSlots + 2) + 2, kBytes = kBarriersAt + kBarriers * kBarrierBytes;

// The copies, by one thread of the first group: the n-th of the block's stages and of its images.
template <bool kTurned>
struct Copies {
  const Boxes &x, &weights;
  Shared memory;

  __device__ Barrier slot_here(int slot) const {
    return memory + kBarriersAt + slot * kBarrierBytes;
  }
  __device__ Barrier slot_free(int slot) const { return slot_here(kSlots + slot); }
  __device__ Barrier image_here(int buffer) const { return slot_here(2 * kSlots + buffer); }
  __device__ Barrier image_free(int buffer) const { return slot_here(2 * kSlots + 2 + buffer); }
  __device__ Barrier read_here(int group) const { return slot_here(2 * kSlots + 4 + group); }

  __device__ void begin() const {
    for (int i = 0; i < kBarriers; ++i) begin_barrier(slot_here(i), 1);
    show_barriers();
  }
  __device__ void stage(int n) const {
    const int slot = n % kSlots, shift = n % kStages / kPlanes, plane = n % kPlanes;
    if (n >= kSlots) wait_for_phase(slot_free(slot), n / kSlots - 1);
    arrive_expecting(slot_here(slot), kStageBytes);
    for (int half = 0; half < 2; ++half)
      copy_box(
          memory + kSlotsAt + slot * kStageBytes + half * kHalfStage, weights,
          kTurned ? weight_place(plane * kPlaneChannels, kShifts - 1 - shift, half * kPlaneChannels)
                  : weight_place(half * kPlaneChannels, shift, plane * kPlaneChannels),
          slot_here(slot));
  }
  __device__ void image(int n) const {
    const int buffer = n % 2;
    if (n >= 2) wait_for_phase(image_free(buffer), n / 2 - 1);
    arrive_expecting(image_here(buffer), kPlanes * Image::kCopiedBytes);
    const auto image = static_cast<int>(blockIdx.x + n * gridDim.x);
    for (int plane = 0; plane < kPlanes; ++plane)
      copy_box(memory + buffer * kImageBytes + plane * kPlaneBytes, x,
               bordered_place({image, 0, 0}, plane), image_here(buffer));
  }
};

template <bool kTurned>
__device__ inline void multiply_stage(Shared weights, Shared pixels, bool adds, Sums& sum) {
  const std::uint64_t a = matrix_at(weights), b = matrix_at(pixels);
  begin_groups();
#pragma unroll
  for (int k = 0; k < kPlaneChannels; k += 16)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      multiply_add_144<kTurned ? Major::columns : Major::rows, Major::columns>(
          a + (kTurned ? by_pixels(k) : by_channels(k)),
          b + by_pixels(half * kTaken) + by_channels(k), adds || k > 0, sum[half]);
  end_groups();
}

// Every block takes every gridDim.x-th image.
template <bool kTurned, class S>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_images(const __grid_constant__ Boxes x, const __grid_constant__ Boxes weights,
                    const __grid_constant__ Boxes y, int images,
                    const __grid_constant__ OfNorm<S> of) {
  const Shared memory = uniform(shared_memory());
  const Copies<kTurned> copies{x, weights, memory};
  const auto first = static_cast<int>(blockIdx.x), step = static_cast<int>(gridDim.x);
  const int stages = ((images - first - 1) / step + 1) * kStages;
  if (threadIdx.x == 0) {
    copies.begin();
    copies.image(0);
    for (int n = 0; n < kSlots; ++n) copies.stage(n);
  }
  __syncthreads();
  const auto group = static_cast<int>(uniform(threadIdx.x / kGroup));
  const bool leads = threadIdx.x % kGroup == 0;
  S sums(of.norm, of.channels, group * kPlaneChannels);
  Sums sum;
  int n = 0, slot = 0, round = 0;  // of stages, and of the slots
  for (int i = 0, image = first; image < images; ++i, image += step) {
    const int now = i % 2;
    const Shared here = memory + now * kImageBytes;
    wait_for_phase(copies.image_here(now), i / 2);
#pragma unroll 1
    for (int stage = 0; stage < kStages; ++stage, ++n) {
      const Shared pixels =
          here + stage % kPlanes * kPlaneBytes + first_pixel<Image>(stage / kPlanes) * kRowBytes;
      wait_for_phase(copies.slot_here(slot), round);
      multiply_stage<kTurned>(memory + kSlotsAt + slot * kStageBytes + group * kHalfStage, pixels,
                              stage > 0, sum);
      groups_done<1>();  // the stage before
      if (leads && n > 0) {
        if (group == 1)
          arrive(copies.slot_free(slot > 0 ? slot - 1 : kSlots - 1));
        else if (n - 1 + kSlots < stages)
          copies.stage(n - 1 + kSlots);
      }
      if (leads && stage == 1 && i > 0) {
        stores_read();  // of the image before
        if (group == 1) arrive(copies.image_free(now ^ 1));
      }
      if (leads && stage == kStages / 2 && group == 0 && image + step < images) copies.image(i + 1);
      if (++slot == kSlots) slot = 0, ++round;
    }
    groups_done<0>();
    // In the place of the inputs, when both groups are done with them: a plane each.
    __syncthreads();
    const Shared stored = here + group * kPlaneBytes;
    const Place place = plain_place<Image>({image, 0, 0}, group);
    if constexpr (S::kReads) {
      if (leads) {
        arrive_expecting(copies.read_here(group), 2 * kTaken * kRowBytes);
        copy_box(stored, of.x, place, copies.read_here(group));
      }
      wait_for_phase(copies.read_here(group), i);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half)
      put_product(sum[half], stored + half * kTaken * kRowBytes, sums,
                  [](int eight) { return is_inside<Image>(eight); });
    show_groups();
    wait_for_group(kGroupMeets + group);
    if (leads) store_box(y, place, stored);
  }
  if (leads) stores_read();
  __syncthreads();
  if constexpr (!std::is_same_v<S, NoSums>) {
    sums.put(memory + group * kPutBytes);
    __syncthreads();
    take_sums<kThreads, kChannels, 1>(of, static_cast<int>(blockIdx.x), 0, shared_floats());
  }
}

// --- launches ---------------------------------------------------------------------------------

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(std::min<std::int64_t>(shape.images, shape.processors));
}

template <bool kTurned, class S>
void launch_images(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                   const typename S::Norm& norm, Stream stream) {
  const auto made = [&](const void* images) {
    return plain_boxes<Image>(images, shape, Image::kBorderedColumns);
  };
  const unsigned blocks = blocks_of(shape);
  launch("convolve", convolve_images<kTurned, S>, blocks, kThreads, kBytes, stream,
         bordered_boxes<Image>(x, shape), weight_boxes(weights, shape), made(y),
         static_cast<int>(shape.images),
         of_norm<S>(norm, shape.images * kSide * kSide, kChannels, static_cast<int>(blocks), made));
}

}  // namespace

bool is_wide(const ConvolutionShape& shape) {
  return shape.side == kSide && shape.channels == kChannels && shape.outputs == kChannels &&
         shape.stride == 1 && shape.kernel == 3;
}

void wide_convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                   const NormBehind& norm, Stream stream) {
  launch_images<false, Statistics>(shape, x, weights, y, norm, stream);
}

void wide_convolve_backward_input(const ConvolutionShape& shape, const void* dy,
                                  const void* weights, void* dx, const NormBefore& norm,
                                  Stream stream) {
  if (norm.x) return launch_images<true, BackwardSums>(shape, dy, weights, dx, norm, stream);
  launch_images<true, NoSums>(shape, dy, weights, dx, {}, stream);
}

std::int64_t wide_scratch_bytes(const ConvolutionShape& shape) {
  return gradient_scratch_bytes<Image>(shape);
}

void wide_convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                                    void* dweights, void* scratch, Stream stream) {
  launch_weight_gradient<Image>(shape, dy, x, dweights, scratch, stream);
}

}  // namespace occam::cuda
