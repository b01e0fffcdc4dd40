#pragma once

#include <type_traits>

#include "worker/cuda/convolution.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/groups.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/norm_sums.cuh"

// What the kernels of convolution.h share: tiles of images in shared memory, whose pixels are rows
// of 128 bytes, a plane of 64 channels, or of sixteen; and the sums that norms want of what is
// made.

namespace occam::cuda {

using Bf16 = __nv_bfloat16;

constexpr int kShifts = 9;
constexpr int kPlaneChannels = 64, kSlimChannels = 8;
constexpr int kRowBytes = kPlaneChannels * 2;
constexpr int kBarrierBytes = 8;

// What matrix_at's result is to be raised by, for so many pixels or channels of a plane.
__device__ constexpr int by_pixels(int count) { return count * kRowBytes / 16; }
__device__ constexpr int by_channels(int count) { return count * 2 / 16; }

// The channels of an image, and its part that a block works on: so many rows and columns, with a
// border of one pixel when they are inputs.
template <int channels, int rows, int columns>
struct Geometry {
  static constexpr int kChannels = channels, kRows = rows, kColumns = columns;
  static constexpr bool kSlim = channels == kSlimChannels;
  static constexpr int kPlanes = kSlim ? 1 : channels / kPlaneChannels;
  static constexpr int kPlane = channels / kPlanes;
  static constexpr int kPixels = rows * columns;
  static constexpr int kBorderedColumns = columns + 2;
  static constexpr int kBorderedPixels = (rows + 2) * kBorderedColumns;
  // Of one plane with its border: what is copied, and its place, since what the tensor cores read
  // repeats every 1,024 bytes.
  static constexpr int kCopiedBytes = kBorderedPixels * kPlane * 2;
  static constexpr int kBorderedBytes = (kCopiedBytes + 1023) / 1024 * 1024;

  static int tiles(const ConvolutionShape& shape) {
    return static_cast<int>(shape.images * (shape.side / kRows) * (shape.side / kColumns));
  }
};

struct Tile {
  int image, row, column;
};
template <class G>
__device__ inline Tile tile_of(int index, int side) {
  const int across = side / G::kColumns;
  const int each = (side / G::kRows) * across;
  const int within = index % each;
  return {index / each, within / across * G::kRows, within % across * G::kColumns};
}

// A tile's plane with one more pixel all around.
template <class G>
Boxes bordered_boxes(const void* images, const ConvolutionShape& shape) {
  const std::int64_t row = shape.side * shape.channels;
  return boxes_of(images, {{{shape.channels, 1, G::kPlane},
                            {shape.side, shape.channels, G::kBorderedColumns},
                            {1, row, 1},
                            {shape.side, row, G::kRows + 2},
                            {shape.images, shape.side * row, 1}}});
}
__device__ inline Place bordered_place(const Tile& tile, int plane) {
  return {plane * kPlaneChannels, tile.column - 1, 0, tile.row - 1, tile.image};
}

// Of outputs, without. Columns of shared memory beyond the tile's own belong to no pixel.
template <class G>
Boxes plain_boxes(const void* images, const ConvolutionShape& shape, int columns = G::kColumns) {
  const std::int64_t channels = shape.outputs, row = shape.side * channels;
  return boxes_of(images, {{{channels, 1, kPlaneChannels},
                            {G::kColumns, channels, columns},
                            {shape.side / G::kColumns, G::kColumns * channels, 1},
                            {shape.side, row, G::kRows},
                            {shape.images, shape.side * row, 1}}});
}
template <class G>
__device__ Place plain_place(const Tile& tile, int plane) {
  return {plane * kPlaneChannels, 0, tile.column / G::kColumns, tile.row, tile.image};
}

// 64 outputs x 64 inputs of a shift, outputs being rows.
inline Boxes weight_boxes(const void* weights, const ConvolutionShape& shape) {
  const std::int64_t shifts = shifts_of(shape), each = shifts * shape.channels;
  return boxes_of(weights, {{{shape.channels, 1, kPlaneChannels},
                             {shifts, shape.channels, 1},
                             {1, each, 1},
                             {shape.outputs, each, kPlaneChannels},
                             {1, each * shape.outputs, 1}}});
}
__device__ inline Place weight_place(int output, int shift, int input) {
  return {input, shift, 0, output, 0};
}

// Places in shared memory that one thread fills and two groups use, in turn, with barriers from
// `first` on: for what is here, then for what the second group is done with (the first group's
// thread fills, and knows).
template <int count>
struct Slots {
  Barrier first;
  int slot = 0, round = 0;

  static constexpr int kBarriers = 2 * count;
  // By the thread that fills them, with so many barriers more behind theirs.
  __device__ void begin(int more = 0) const {
    for (int i = 0; i < kBarriers + more; ++i) begin_barrier(first + i * kBarrierBytes, 1);
    show_barriers();
  }
  __device__ Barrier here() const { return first + slot * kBarrierBytes; }
  __device__ Barrier free() const { return first + (count + slot) * kBarrierBytes; }
  __device__ void wait_until_here() const { wait_for_phase(here(), round); }
  __device__ void wait_until_free() const {
    if (round > 0) wait_for_phase(free(), round - 1);
  }
  __device__ void next() {
    if (++slot == count) slot = 0, ++round;
  }
};

// Where in a bordered tile the first of the pixels is that a shift takes to a tile's.
template <class G>
__device__ constexpr int first_pixel(int shift) {
  return shift / 3 * G::kBorderedColumns + shift % 3;
}

// --- what becomes of a product of 64 outputs x pixels as they lie in a bordered tile -------------
//
// Its columns are rows of the tile and the two pixels of the border between them, whose sums are
// left. A lane has two outputs, eight apart, of pixels 8 j + 2 (lane % 4) and the next.

// Whether both are the tile's; else both are of the border.
template <class G>
__device__ bool is_inside(int j) {
  constexpr int kAll = G::kBorderedColumns;
  static_assert(kAll % 2 == 0);
  const int border = (G::kColumns - 8 * j % kAll + kAll) % kAll / 2;
  return static_cast<int>(threadIdx.x % 4) != border;
}

// --- what a norm wants of a product, and how it is stored ----------------------------------------

// A lane's sums of a norm: of its two outputs, over its pixels.
struct LaneSums {
  float first[2] = {}, second[2] = {};

  __device__ static int channel(int half) {
    return static_cast<int>(16 * (threadIdx.x / 32 % 4) + 8 * half + threadIdx.x % 32 / 4);
  }
  // Into shared memory: the group's 64 firsts, then the seconds.
  __device__ void put(Shared to) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int offset = 1; offset < 4; offset *= 2) {
        first[half] += __shfl_xor_sync(~0U, first[half], offset);
        second[half] += __shfl_xor_sync(~0U, second[half], offset);
      }
      if (threadIdx.x % 4 > 0) continue;
      store_4(to + 4 * channel(half), __float_as_uint(first[half]));
      store_4(to + 4 * (kPlaneChannels + channel(half)), __float_as_uint(second[half]));
    }
  }
};
constexpr int kPutBytes = 2 * kPlaneChannels * 4;
// A thread's share of a GPU's part of 36 multiprocessors, where two have a quad of 256 outputs.
constexpr int kPartsAtOnce = 18;

__device__ inline float first_of(std::uint32_t two) { return __uint_as_float(two << 16); }
__device__ inline float second_of(std::uint32_t two) { return __uint_as_float(two & 0xffff0000U); }

// Of the norm behind: of x about an origin, and of its square. `from` is the group's first channel.
struct Statistics : LaneSums {
  using Norm = NormBehind;
  static constexpr bool kReads = false;
  float origin[2];

  __device__ Statistics(const NormBehind& norm, int, int from)
      : origin{norm.parameters.running_mean[from + channel(0)],
               norm.parameters.running_mean[from + channel(1)]} {}
  __device__ void add(int half, std::uint32_t two, std::uint32_t) {
    const float one = first_of(two) - origin[half], other = second_of(two) - origin[half];
    first[half] += one + other;
    second[half] += one * one + other * other;
  }
  __device__ static void finish(const NormBehind& norm, std::int64_t rows, int channels,
                                int first_channel, int slab, float* totals) {
    finish_statistics(channels, rows, first_channel, slab, totals, norm.parameters, norm.saved,
                      norm.members);
  }
};

// Of the norm before: of the gradient which its ReLU lets through, and of its product with the
// norm's x about the mean.
struct BackwardSums : LaneSums {
  using Norm = NormBefore;
  static constexpr bool kReads = true;
  float scale[2], shift[2], mean[2];

  __device__ BackwardSums(const NormBefore& norm, int channels, int from) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float* const saved = norm.to.saved + from + channel(half);
      scale[half] = saved[0], shift[half] = saved[channels], mean[half] = saved[2 * channels];
    }
  }
  __device__ void add(int half, std::uint32_t two, std::uint32_t x) {
    add(half, first_of(two), first_of(x));
    add(half, second_of(two), second_of(x));
  }
  __device__ void add(int half, float gradient, float x) {
    if (!(fmaf(x, scale[half], shift[half]) > 0)) return;
    first[half] += gradient;
    second[half] += gradient * (x - mean[half]);
  }
  __device__ static void finish(const NormBefore& norm, std::int64_t rows, int channels,
                                int first_channel, int slab, float* totals) {
    finish_backward(channels, rows, first_channel, slab, totals, norm.to, norm.members);
  }
};

struct NoSums {
  struct Norm {};
  static constexpr bool kReads = false;
  __device__ NoSums(const Norm&, int, int) {}
  __device__ void add(int, std::uint32_t, std::uint32_t) {}
};

// What a kernel's blocks have to do for a norm of what they make. `x` has the boxes that sums read:
// each is copied to where the product of the same place will lie until it is stored. It may be
// copied once the box that was stored from there before has been read: all threads of the group had
// met before it was stored. And it is waited for before the next is copied, so that the n-th is the
// n-th phase of its barrier.
template <class S>
struct OfNorm {
  typename S::Norm norm;
  std::int64_t rows;
  int channels, parts;
  std::conditional_t<S::kReads, Boxes, NoSums::Norm> x;
};
template <class S, class BoxesOf>
OfNorm<S> of_norm(const typename S::Norm& norm, std::int64_t rows, std::int64_t channels, int parts,
                  BoxesOf boxes_like) {
  OfNorm<S> of{norm, rows, static_cast<int>(channels), parts, {}};
  if constexpr (S::kReads) of.x = boxes_like(norm.x);
  return of;
}

// By a block of `threads`, which has its sums of so many outputs in `room`, of shared memory: those
// of each 64 as LaneSums puts them, `times` over, to be added up. They become its part; whoever
// comes last adds all up, in their order, and finishes.
template <int threads, int outputs, int times, class S>
__device__ inline void take_sums(const OfNorm<S>& of, int part, int first_channel, float* room) {
  constexpr int kValues = 2 * outputs, kQuads = kValues / 4, kShares = threads / kQuads;
  static_assert(kShares * kQuads == threads);
  const auto thread = static_cast<int>(threadIdx.x);
  const auto place = [&](int value) {
    return value / outputs * of.channels + first_channel + value % outputs;
  };
  float* const mine = of.norm.room.parts + std::int64_t{part} * 2 * of.channels;
  for (int i = thread; i < kValues; i += threads) {
    const int channel = i % outputs, seconds = i / outputs;
    float sum = 0;
#pragma unroll
    for (int k = 0; k < times; ++k)
      sum += room[k * kValues + channel / kPlaneChannels * 2 * kPlaneChannels +
                  seconds * kPlaneChannels + channel % kPlaneChannels];
    mine[place(i)] = sum;
  }
  if (!is_last_block(of.norm.room.done + first_channel / outputs, of.parts)) return;
  const int quad = thread % kQuads, share = thread / kQuads;
  const auto* const from = reinterpret_cast<const float4*>(of.norm.room.parts + place(4 * quad));
  reinterpret_cast<float4*>(room)[share * kQuads + quad] =
      sum_of_every<kPartsAtOnce>(from, of.channels / 2, share, of.parts, kShares);
  __syncthreads();
  float* const totals = room + kShares * kValues;
  for (int i = thread; i < kValues; i += threads) {
    float total = 0;
#pragma unroll
    for (int k = 0; k < kShares; ++k) total += room[k * kValues + i];
    totals[i] = total;
  }
  __syncthreads();
  S::finish(of.norm, of.rows, of.channels, first_channel, outputs, totals);
}

// Turned around: pixels as they lie x 64 outputs, rounded up to sixteen pixels. is_inside(j) says
// of a lane's two of the j-th eight whether they count. What sums read lies there; a warp reads
// just what it then writes over, so that nothing is waited for in between.
template <int eights, class S, class Inside>
__device__ inline void put_product(const float (&sum)[eights][4], Shared to, S& sums,
                                   Inside is_inside) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
  for (int j = 0; j < eights; j += 2) {
    const Shared place = to + place_128(8 * (j + lane / 16) + lane % 8, 2 * warp + lane / 8 % 2);
    std::uint32_t packed[4] = {}, read[4] = {};
    if constexpr (S::kReads) load_transposed(place, read);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int eight = j + i / 2, half = i % 2;
      if (eight == eights) continue;
      packed[i] = pack(sum[eight][2 * half], sum[eight][2 * half + 1]);
      if (is_inside(eight)) sums.add(half, packed[i], read[i]);
    }
    store_transposed(place, packed);
  }
}

}  // namespace occam::cuda
