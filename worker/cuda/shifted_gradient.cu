#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/shifted_convolution.h"
#include "worker/cuda/shifted_pixels.cuh"

// The gradient of the weights: a block takes 128 outputs x 64 inputs of one row of shifts, three or
// the only one, over all pixels or a part of them; then parts are added up.

namespace occam::cuda {
namespace {

// Two groups of four warps, each with 64 of the outputs.
constexpr int kThreads = 2 * kGroup, kSumThreads = 256;
constexpr int kTileOutputs = 2 * kPlaneChannels;

// A stage is so many pixels of both groups' outputs, then of the inputs of each of `across` shifts.
constexpr int kStagePixels = 64;
constexpr int kBoxBytes = kStagePixels * kRowBytes;
template <int across>
struct Stages {
  static constexpr int kAcross = across;
  static constexpr int kBytesEach = (2 + across) * kBoxBytes;
  // In shared memory: stages in turn, and barriers for what is here and what the second group is
  // done with. What is left is for a block of a norm beside.
  static constexpr int kSlots = across == 1 ? 8 : 5;
  static constexpr int kBarriersAt = kSlots * kBytesEach;
  using Turns = Slots<kSlots>;
  static constexpr int kBytes = kBarriersAt + Turns::kBarriers * kBarrierBytes;
};

struct Work {
  int grid, step;                    // side of the outputs' images, and between their inputs
  int output_tiles, planes, rows;    // of 128 outputs, of 64 inputs, of shifts
  int stages, parts, stages_a_part;  // of all pixels
  int rows_a_stage, images_a_stage;
};

int items_of(const Work& work) { return work.output_tiles * work.planes * work.rows * work.parts; }

// In as many parts as are done soonest, with what beginning and ending one costs.
Work work_of(const ConvolutionShape& shape) {
  constexpr int kMostParts = 64, kStagesToBegin = 3;
  Work work{};
  work.grid = static_cast<int>(shape.side / shape.stride);
  work.step = shape.stride;
  work.rows_a_stage = std::min(work.grid, kStagePixels / work.grid);
  work.images_a_stage = kStagePixels / (work.grid * work.rows_a_stage);
  work.output_tiles = static_cast<int>(shape.outputs / kTileOutputs);
  work.planes = static_cast<int>(shape.channels / kPlaneChannels);
  work.rows = shape.kernel;
  const std::int64_t pixels = shape.images * work.grid * work.grid;
  work.stages = static_cast<int>((pixels + kStagePixels - 1) / kStagePixels);
  int least = 0;
  for (int parts = 1; parts <= std::min(kMostParts, work.stages); ++parts) {
    Work tried = work;
    tried.stages_a_part = (work.stages + parts - 1) / parts;
    tried.parts = (work.stages + tried.stages_a_part - 1) / tried.stages_a_part;
    const int rounds = (items_of(tried) + shape.processors - 1) / shape.processors;
    const int taken = rounds * (tried.stages_a_part + kStagesToBegin);
    if (parts > 1 && taken >= least) continue;
    least = taken;
    work.parts = tried.parts, work.stages_a_part = tried.stages_a_part;
  }
  return work;
}

struct Item {
  int output_tile, plane, row, part;
  int begin, end;  // stages
};
__device__ inline bool item_of(const Work& work, int n, Item& item) {
  int index = n * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
  const auto next = [&](int count) {
    const int one = index % count;
    index /= count;
    return one;
  };
  item.row = next(work.rows);
  item.plane = next(work.planes);
  item.output_tile = next(work.output_tiles);
  item.part = index;
  item.begin = item.part * work.stages_a_part;
  item.end = min(work.stages, item.begin + work.stages_a_part);
  return item.part < work.parts;
}

// The copies, by one thread of the first group: one stage after the other, of all its items. What
// can be is worked out for an item: the tensor cores wait for this thread's warp.
template <class S>
struct Copies {
  const Boxes &dy, &x;
  const Work& work;
  Shared memory;
  typename S::Turns slots;
  int items = 0, stages = 0, output = 0, input = 0, down = 0;
  int row = 0, image = 0;  // the stage's first
  bool is_more = false;

  __device__ Copies(const Boxes& outputs, const Boxes& inputs, const Work& all, Shared here)
      : dy(outputs), x(inputs), work(all), memory(here), slots{here + S::kBarriersAt} {}

  __device__ void begin() {
    slots.begin();
    next_item();
    for (int i = 0; i < S::kSlots; ++i) next();
  }
  __device__ void next_item() {
    Item item{};
    is_more = item_of(work, items++, item);
    stages = item.end - item.begin;
    output = item.output_tile * kTileOutputs;
    input = item.plane * kPlaneChannels;
    down = item.row - S::kAcross / 2;
    const Place first = pixel_place(item.begin * kStagePixels, work.grid, 1);
    row = first.x3, image = first.x4;
  }
  __device__ void next() {
    if (!is_more) return;
    slots.wait_until_free();
    const Shared to = memory + slots.slot * S::kBytesEach;
    const Barrier here = slots.here();
    arrive_expecting(here, S::kBytesEach);
#pragma unroll
    for (int half = 0; half < 2; ++half)
      copy_box(to + half * kBoxBytes, dy, {output + half * kPlaneChannels, 0, 0, row, image}, here);
#pragma unroll
    for (int shift = 0; shift < S::kAcross; ++shift)
      copy_box(to + (2 + shift) * kBoxBytes, x,
               {input, shift - S::kAcross / 2, 0, row * work.step + down, image}, here);
    slots.next();
    row += work.rows_a_stage;
    if (row == work.grid) row = 0, image += work.images_a_stage;
    if (--stages == 0) next_item();
  }
};

template <class S>
using Sums = float[S::kAcross * kPlaneChannels / 8][4];

template <class S>
__device__ inline void multiply_stage(Shared outputs, Shared inputs, bool adds, Sums<S>& sum) {
  const std::uint64_t a = matrix_at(outputs), b = matrix_at(inputs, kBoxBytes);
  begin_groups();
#pragma unroll
  for (int k = 0; k < kStagePixels; k += 16)
    if constexpr (S::kAcross == 3)
      multiply_add_192<Major::columns, Major::rows>(a + by_pixels(k), b + by_pixels(k),
                                                    adds || k > 0, sum);
    else
      multiply_add_64<Major::columns, Major::rows>(a + by_pixels(k), b + by_pixels(k),
                                                   adds || k > 0, sum);
  end_groups();
}

// Two neighbouring weights to their place among all, of a part, or of the only one.
__device__ inline void put(float first, float second, float* to) {
  *reinterpret_cast<float2*>(to) = float2{first, second};
}
__device__ inline void put(float first, float second, Bf16* to) {
  *reinterpret_cast<std::uint32_t*>(to) = pack(first, second);
}

template <class S, class T>
__global__ void __launch_bounds__(kThreads, 1)
    multiply_shifted(const __grid_constant__ Boxes dy, const __grid_constant__ Boxes x,
                     const __grid_constant__ Work work, T* out) {
  const Shared memory = uniform(shared_memory());
  Copies<S> copies(dy, x, work, memory);
  if (threadIdx.x == 0) copies.begin();
  __syncthreads();
  const auto group = static_cast<int>(uniform(threadIdx.x / kGroup));
  const bool leads = threadIdx.x % kGroup == 0;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  const int channels = work.planes * kPlaneChannels;
  const std::int64_t weights =
      std::int64_t{work.output_tiles} * kTileOutputs * work.rows * S::kAcross * channels;
  Sums<S> sum;
  typename S::Turns slots{memory + S::kBarriersAt}, done = slots;
  // Of the slots, one after the other: by whoever leads, when the group is done with one.
  const auto release = [&] {
    if (group == 0) return copies.next();
    arrive(done.free());
    done.next();
  };
  Item item{};
  for (int n = 0; item_of(work, n, item); ++n) {
#pragma unroll 1
    for (int stage = item.begin; stage < item.end; ++stage) {
      const Shared here = memory + slots.slot * S::kBytesEach;
      slots.wait_until_here();
      multiply_stage<S>(here + group * kBoxBytes, here + 2 * kBoxBytes, stage > item.begin, sum);
      if (stage > item.begin) {
        groups_done<1>();  // the stage before
        if (leads) release();
      }
      slots.next();
    }
    groups_done<0>();
    if (leads) release();
    T* const mine = out + item.part * weights;
#pragma unroll
    for (int j = 0; j < S::kAcross * kPlaneChannels / 8; ++j)
#pragma unroll
      for (int low = 0; low < 2; ++low) {
        const int output = item.output_tile * kTileOutputs + group * kPlaneChannels + 16 * warp +
                           8 * low + lane / 4;
        const int shift = S::kAcross * item.row + j / 8;
        const int input = item.plane * kPlaneChannels + 8 * (j % 8) + 2 * (lane % 4);
        put(sum[j][2 * low], sum[j][2 * low + 1],
            mine + std::int64_t{output * work.rows * S::kAcross + shift} * channels + input);
      }
  }
}

__global__ void __launch_bounds__(kSumThreads)
    sum_of_parts(const float* partial, int parts, std::int64_t weights, Bf16* dweights) {
  const std::int64_t at = (std::int64_t{blockIdx.x} * kSumThreads + threadIdx.x) * 4;
  float4 sum{0, 0, 0, 0};
#pragma unroll 4
  for (int part = 0; part < parts; ++part) {
    const float4 one = __ldcg(reinterpret_cast<const float4*>(partial + part * weights + at));
    sum.x += one.x;
    sum.y += one.y;
    sum.z += one.z;
    sum.w += one.w;
  }
  *reinterpret_cast<uint2*>(dweights + at) = uint2{pack(sum.x, sum.y), pack(sum.z, sum.w)};
}

std::int64_t weights_of(const ConvolutionShape& shape) {
  return shape.outputs * shifts_of(shape) * shape.channels;
}

}  // namespace

bool has_shifted_gradient(const ConvolutionShape& shape) {
  return is_shifted(shape) && kStagePixels % (shape.side / shape.stride) == 0;
}

std::int64_t shifted_scratch_bytes(const ConvolutionShape& shape) {
  const int parts = work_of(shape).parts;
  return parts == 1 ? 0 : parts * weights_of(shape) * 4;
}

void shifted_convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                                       void* dweights, void* scratch, Stream stream) {
  constexpr const char* kName = "convolve_backward_weights";
  const Work work = work_of(shape);
  const auto multiply = [&]<class S, class T>(S, T* to) {
    launch(kName, multiply_shifted<S, T>,
           static_cast<unsigned>(std::min(shape.processors, items_of(work))), kThreads, S::kBytes,
           stream, pixel_boxes(dy, shape.images, work.grid, shape.outputs, 1, kStagePixels),
           pixel_boxes(x, shape.images, shape.side, shape.channels, work.step, kStagePixels), work,
           to);
  };
  const auto multiply_to = [&](auto* to) {
    if (shape.kernel == 3)
      multiply(Stages<3>{}, to);
    else
      multiply(Stages<1>{}, to);
  };
  if (work.parts == 1) return multiply_to(static_cast<Bf16*>(dweights));
  multiply_to(static_cast<float*>(scratch));
  const std::int64_t weights = weights_of(shape);
  launch(kName, sum_of_parts, static_cast<unsigned>(weights / (4 * kSumThreads)), kSumThreads, 0,
         stream, static_cast<const float*>(scratch), work.parts, weights,
         static_cast<Bf16*>(dweights));
}

}  // namespace occam::cuda
