#include "worker/cuda/shifted_convolution.h"

#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/shifted_pixels.cuh"

namespace occam::cuda {
namespace {

// Two groups of four warps, each with 128 pixels of 64 outputs or twice as many.
constexpr int kThreads = 2 * kGroup;
constexpr int kGroupMeets = 1;  // the first group's number
constexpr int kTaken = 128;
constexpr int kMostRegisters = 192;  // so that a block of a norm has some beside

// What a block makes at a time: so many outputs of so many pixels. The groups have half of the
// outputs each, of 64 half of the pixels.
template <int outputs, int pixels>
struct Made {
  static constexpr int kOutputs = outputs, kPixels = pixels;
  static constexpr bool kByPixels = outputs == kPlaneChannels;
  static constexpr int kBoxes = outputs / kPlaneChannels;     // of weights
  static constexpr int kHalves = kByPixels ? 1 : kBoxes / 2;  // a group's
  static_assert(pixels == (kByPixels ? 2 : 1) * kTaken);
  // A stage is one shift's weights and pixels of 64 channels that come in.
  static constexpr int kBoxBytes = kPlaneChannels * kRowBytes;
  static constexpr int kWeightBytes = kBoxes * kBoxBytes;
  static constexpr int kStageBytes = kWeightBytes + pixels * kRowBytes;
  // In shared memory: what the groups store, stages in turn, and barriers for what is here and what
  // the second group is done with, and of each group for what a norm's sums read. What is left is
  // for a block of a norm beside.
  static constexpr int kHalfBytes = kTaken * kRowBytes, kStoredBytes = kHalves * kHalfBytes;
  static constexpr int kMostBytes = 217 << 10;
  static constexpr int kSlots =
      (kMostBytes - 2 * (kStoredBytes + kBarrierBytes)) / (kStageBytes + 2 * kBarrierBytes);
  static constexpr int kSlotsAt = 2 * kStoredBytes, kBarriersAt = kSlotsAt + kSlots * kStageBytes;
  using Stages = Slots<kSlots>;
  static constexpr int kReadBarriers = 2;
  static constexpr int kBytes = kBarriersAt + (Stages::kBarriers + kReadBarriers) * kBarrierBytes;
};
using Large = Made<256, 128>;
using Middle = Made<128, 128>;
using Small = Made<64, 256>;

// --- what is to be done ------------------------------------------------------------------------

// Of the pixels of a grid, side x side an image, each makes outputs: one pixel's; but of dx with
// stride 2 one pixel's in each of four phases, since an even row takes one row of shifts, and an
// odd one two (of 1 x 1 the phase without any is not made).
struct Phase {
  int shifts, row, column;  // the phase's, below `places`
  std::int8_t weight[kShifts], down[kShifts], right[kShifts];
};
struct Work {
  Phase phases[4];
  int phase_count, places;        // rows and columns that a pixel of the grid makes
  int side, step;                 // of the grid, and between the inputs of neighbouring pixels
  int channels;                   // that come in
  int output_tiles, pixel_tiles;  // a phase's
  std::int64_t pixels;            // of the grid, all images
};

Phase phase_of(int row, int column, bool is_turned, const ConvolutionShape& shape) {
  Phase phase{0, row, column, {}, {}, {}};
  const auto add = [&](int shift, int down, int right) {
    phase.weight[phase.shifts] = static_cast<std::int8_t>(shift);
    phase.down[phase.shifts] = static_cast<std::int8_t>(down);
    phase.right[phase.shifts] = static_cast<std::int8_t>(right);
    ++phase.shifts;
  };
  for (int shift = 0; shift < shifts_of(shape); ++shift) {
    // An input at r is taken for the output at o where r = stride o + down.
    const int down = shift / shape.kernel - shape.kernel / 2,
              right = shift % shape.kernel - shape.kernel / 2;
    if (!is_turned)
      add(shift, down, right);
    else if ((row - down) % shape.stride == 0 && (column - right) % shape.stride == 0)
      add(shift, (row - down) / shape.stride, (column - right) / shape.stride);
  }
  return phase;
}

Work work_of(const ConvolutionShape& shape, bool is_turned, int tile_outputs, int tile_pixels) {
  Work work{};
  work.places = is_turned && shape.kernel > 1 ? shape.stride : 1;
  // The longest first.
  for (int row = work.places - 1; row >= 0; --row)
    for (int column = work.places - 1; column >= 0; --column)
      work.phases[work.phase_count++] = phase_of(row, column, is_turned, shape);
  work.side = static_cast<int>(shape.side / shape.stride);
  work.step = is_turned ? 1 : shape.stride;
  work.channels = static_cast<int>(is_turned ? shape.outputs : shape.channels);
  work.output_tiles = static_cast<int>((is_turned ? shape.channels : shape.outputs) / tile_outputs);
  work.pixels = shape.images * work.side * work.side;
  work.pixel_tiles = static_cast<int>((work.pixels + tile_pixels - 1) / tile_pixels);
  return work;
}

__host__ __device__ inline int items_of(const Work& work) {
  return work.phase_count * work.pixel_tiles * work.output_tiles;
}
// One phase of a tile: a block's n-th. Phases take different times, and the blocks that had the
// longest get the shortest next.
struct Item {
  int phase, pixel_tile, output_tile;
};
__device__ inline bool item_of(const Work& work, int n, Item& item) {
  const auto block = static_cast<int>(blockIdx.x), blocks = static_cast<int>(gridDim.x);
  const bool is_back = work.phase_count > 1 && n % 2 == 1;
  const int index = n * blocks + (is_back ? blocks - 1 - block : block);
  const int tiles = work.pixel_tiles * work.output_tiles;
  if (index >= work.phase_count * tiles) return false;
  item = {index / tiles, index % tiles / work.output_tiles, index % work.output_tiles};
  return true;
}

// 64 outputs of a group's pixels.
Boxes output_boxes(const void* images, std::int64_t count, const Work& work, int tile_outputs) {
  const std::int64_t channels = std::int64_t{work.output_tiles} * tile_outputs,
                     places = work.places, row = work.side * places * channels;
  return boxes_of(images, {{{channels, 1, kPlaneChannels},
                            {places, channels, 1},
                            {work.side, places * channels, work.side},
                            {places, row, 1},
                            {count * work.side, places * row, kTaken / work.side}}});
}

// --- the kernel --------------------------------------------------------------------------------

// The copies, by one thread of the first group: one stage after the other, of all its items. What
// can be is worked out for an item or a shift: the tensor cores wait for this thread's warp.
template <class T, bool kTurned>
struct Copies {
  const Boxes &x, &weights;
  const Work& work;
  Shared memory;
  typename T::Stages slots;
  int items = 0, phase = 0, shift = 0, channel = 0;
  int made = 0, weight = 0, down = 0, right = 0;
  Place pixels{};
  bool is_more = false;

  __device__ Copies(const Boxes& inputs, const Boxes& of_weights, const Work& all, Shared here)
      : x(inputs), weights(of_weights), work(all), memory(here), slots{here + T::kBarriersAt} {}

  __device__ void begin() {
    slots.begin(T::kReadBarriers);
    next_item();
    for (int i = 0; i < T::kSlots; ++i) next();
  }
  __device__ void next_item() {
    Item item{};
    is_more = item_of(work, items++, item);
    if (!is_more) return;
    phase = item.phase;
    made = item.output_tile * T::kOutputs;
    pixels = pixel_place(item.pixel_tile * T::kPixels, work.side, work.step);
    set_shift(0);
  }
  __device__ void set_shift(int to) {
    shift = to, channel = 0;
    weight = work.phases[phase].weight[to];
    down = work.phases[phase].down[to];
    right = work.phases[phase].right[to];
  }
  __device__ void next() {
    if (!is_more) return;
    slots.wait_until_free();
    const Shared to = memory + T::kSlotsAt + slots.slot * T::kStageBytes;
    const Barrier here = slots.here();
    arrive_expecting(here, T::kStageBytes);
#pragma unroll
    for (int box = 0; box < T::kBoxes; ++box) {
      const int from = made + box * kPlaneChannels;
      copy_box(to + box * T::kBoxBytes, weights,
               kTurned ? weight_place(channel, weight, from) : weight_place(from, weight, channel),
               here);
    }
    copy_box(to + T::kWeightBytes, x, {channel, right, 0, pixels.x3 + down, pixels.x4}, here);
    slots.next();
    channel += kPlaneChannels;
    if (channel < work.channels) return;
    if (shift + 1 < work.phases[phase].shifts)
      set_shift(shift + 1);
    else
      next_item();
  }
};

template <class T>
using Sums = float[T::kHalves][kTaken / 8][4];

template <class T, bool kTurned>
__device__ inline void multiply_stage(Shared weights, Shared pixels, bool adds, Sums<T>& sum) {
  const std::uint64_t a = matrix_at(weights), b = matrix_at(pixels);
  begin_groups();
#pragma unroll
  for (int k = 0; k < kPlaneChannels; k += 16)
#pragma unroll
    for (int half = 0; half < T::kHalves; ++half)
      multiply_add_128<kTurned ? Major::columns : Major::rows, Major::columns>(
          a + by_pixels(half * kPlaneChannels) + (kTurned ? by_pixels(k) : by_channels(k)),
          b + by_channels(k), adds || k > 0, sum[half]);
  end_groups();
}

template <class T, bool kTurned, class S>
__global__ void __maxnreg__(kMostRegisters)
    convolve_shifted(const __grid_constant__ Boxes x, const __grid_constant__ Boxes weights,
                     const __grid_constant__ Boxes y, const __grid_constant__ Work work,
                     const __grid_constant__ OfNorm<S> of) {
  const Shared memory = uniform(shared_memory());
  Copies<T, kTurned> copies(x, weights, work, memory);
  if (threadIdx.x == 0) copies.begin();
  __syncthreads();
  const auto group = static_cast<int>(uniform(threadIdx.x / kGroup));
  const bool leads = threadIdx.x % kGroup == 0;
  const Shared stored = memory + group * T::kStoredBytes;
  const int of_weights = T::kByPixels ? 0 : group * T::kHalves * T::kBoxBytes,
            of_pixels = T::kByPixels ? group * kTaken : 0;
  Item item{};
  item_of(work, 0, item);
  const int first_output = item.output_tile * T::kOutputs;  // of all its items where there are sums
  const int first_sum = first_output + of_weights / kRowBytes;
  S sums[2]{S(of.norm, of.channels, first_sum),
            S(of.norm, of.channels, first_sum + (T::kHalves - 1) * kPlaneChannels)};
  Sums<T> sum;
  typename T::Stages slots{memory + T::kBarriersAt}, done = slots;
  const Barrier read_here = slots.first + (T::Stages::kBarriers + group) * kBarrierBytes;
  // Of the slots, one after the other: by whoever leads, when the group is done with one.
  const auto release = [&] {
    if (group == 0) return copies.next();
    arrive(done.free());
    done.next();
  };
  for (int n = 0; item_of(work, n, item); ++n) {
    const Phase& phase = work.phases[item.phase];
    const int stages = phase.shifts * (work.channels / kPlaneChannels);
    const int pixel = item.pixel_tile * T::kPixels + of_pixels;
    const auto place = [&](int half) {
      return Place{item.output_tile * T::kOutputs + of_weights / kRowBytes + half * kPlaneChannels,
                   phase.column, 0, phase.row, pixel / work.side};
    };
#pragma unroll 1
    for (int stage = 0; stage < stages; ++stage) {
      const Shared here = memory + T::kSlotsAt + slots.slot * T::kStageBytes;
      slots.wait_until_here();
      multiply_stage<T, kTurned>(here + of_weights, here + T::kWeightBytes + of_pixels * kRowBytes,
                                 stage > 0, sum);
      if (stage > 0) {
        groups_done<1>();  // the stage before
        if (leads) release();
      }
      if constexpr (S::kReads) {
        // There is a second: what comes out has 128 channels or more.
        if (leads && stage == 1) {
          stores_read();  // of the item before
          arrive_expecting(read_here, T::kStoredBytes);
          for (int half = 0; half < T::kHalves; ++half)
            copy_box(stored + half * T::kHalfBytes, of.x, place(half), read_here);
        }
      }
      slots.next();
    }
    groups_done<0>();
    if (leads) release();
    const auto inside = static_cast<int>(min(work.pixels - pixel, std::int64_t{kTaken}));
    if constexpr (S::kReads) {
      wait_for_phase(read_here, n);
    } else {
      if (leads) stores_read();  // of the item before
      wait_for_group(kGroupMeets + group);
    }
#pragma unroll
    for (int half = 0; half < T::kHalves; ++half) {
      const Shared here = stored + half * T::kHalfBytes;
      put_product(sum[half], here, sums[half], [&](int eight) { return 8 * eight < inside; });
      show_groups();
      wait_for_group(kGroupMeets + group);
      if (leads) store_box(y, place(half), here);
    }
  }
  if (leads) stores_read();
  __syncthreads();
  if constexpr (!std::is_same_v<S, NoSums>) {
    for (int half = 0; half < T::kHalves; ++half)
      sums[half].put(memory + (group * T::kHalves + half) * kPutBytes);
    __syncthreads();
    take_sums<kThreads, T::kOutputs, T::kByPixels ? 2 : 1>(
        of, static_cast<int>(blockIdx.x) / work.output_tiles, first_output, shared_floats());
  }
}

// --- launches ---------------------------------------------------------------------------------

// Of one phase each block stays with the outputs whose sums it takes.
int blocks_of(const Work& work, int processors) {
  const int blocks = std::min(processors, items_of(work));
  return work.phase_count > 1 ? blocks
                              : std::max(1, blocks / work.output_tiles) * work.output_tiles;
}

// Calls run(Made): the largest of which the multiprocessors take no more rounds.
template <class Run>
auto with_tile(const ConvolutionShape& shape, std::int64_t made, Run run) {
  const std::int64_t grid = shape.side / shape.stride;
  const auto tiles_of = [&](int of_outputs) {
    return (shape.images * grid * grid + kTaken - 1) / kTaken * (made / of_outputs);
  };
  const auto rounds = [&](std::int64_t tiles) {
    return (tiles + shape.processors - 1) / shape.processors;
  };
  if (made == Small::kOutputs) return run(Small{});
  if (made % Large::kOutputs == 0 &&
      2 * rounds(tiles_of(Large::kOutputs)) <= rounds(tiles_of(Middle::kOutputs)))
    return run(Large{});
  return run(Middle{});
}

template <class T, bool kTurned, class S>
void launch_shifted(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                    const typename S::Norm& norm, Stream stream) {
  const Work work = work_of(shape, kTurned, T::kOutputs, T::kPixels);
  const int blocks = blocks_of(work, shape.processors);
  const auto made = [&](const void* images) {
    return output_boxes(images, shape.images, work, T::kOutputs);
  };
  launch("convolve", convolve_shifted<T, kTurned, S>, static_cast<unsigned>(blocks), kThreads,
         T::kBytes, stream,
         pixel_boxes(x, shape.images, work.side * work.step, work.channels, work.step, T::kPixels),
         weight_boxes(weights, shape), made(y), work,
         of_norm<S>(norm, work.pixels, std::int64_t{work.output_tiles} * T::kOutputs,
                    blocks / work.output_tiles, made));
}

}  // namespace

bool is_shifted(const ConvolutionShape& shape) {
  if ((shape.stride != 1 && shape.stride != 2) || (shape.kernel != 1 && shape.kernel != 3))
    return false;
  const std::int64_t grid = shape.side / shape.stride;
  return shape.side % shape.stride == 0 && grid >= 4 && kTaken % grid == 0 &&
         shape.channels % kPlaneChannels == 0 &&
         (shape.channels == Small::kOutputs || shape.channels % Middle::kOutputs == 0) &&
         shape.outputs % Middle::kOutputs == 0;
}

void shifted_convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                      const NormBehind& norm, Stream stream) {
  with_tile(shape, shape.outputs, [&]<class T>(T) {
    if constexpr (!T::kByPixels)  // nothing that is_shifted makes 64 outputs
      launch_shifted<T, false, Statistics>(shape, x, weights, y, norm, stream);
  });
}

void shifted_convolve_backward_input(const ConvolutionShape& shape, const void* dy,
                                     const void* weights, void* dx, const NormBefore& norm,
                                     Stream stream) {
  with_tile(shape, shape.channels, [&]<class T>(T) {
    if (norm.x) return launch_shifted<T, true, BackwardSums>(shape, dy, weights, dx, norm, stream);
    launch_shifted<T, true, NoSums>(shape, dy, weights, dx, {}, stream);
  });
}

}  // namespace occam::cuda
