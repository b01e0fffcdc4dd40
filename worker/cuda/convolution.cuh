#pragma once

#include "worker/cuda/convolution.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/groups.cuh"

// What the kernels of convolution.h share: tiles of images in shared memory, whose pixels are rows
// of 128 bytes, a plane of 64 channels, or of sixteen.

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
  const std::int64_t channels = outputs(shape), row = shape.side * channels;
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
inline Boxes weight_boxes(const void* weights, std::int64_t channels) {
  const std::int64_t each = kShifts * channels;
  return boxes_of(weights, {{{channels, 1, kPlaneChannels},
                             {kShifts, channels, 1},
                             {1, each, 1},
                             {channels, each, kPlaneChannels},
                             {1, each * channels, 1}}});
}
__device__ inline Place weight_place(int output, int shift, int input) {
  return {input, shift, 0, output, 0};
}

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

// Sums and sums of squares of a lane's two outputs about an origin, over its pixels.
struct Statistics {
  float origin[2], sum[2] = {}, square[2] = {};

  __device__ static int channel(int half) {
    return static_cast<int>(16 * (threadIdx.x / 32 % 4) + 8 * half + threadIdx.x % 32 / 4);
  }
  // The 64 outputs' origins.
  __device__ explicit Statistics(const float* origins)
      : origin{origins[channel(0)], origins[channel(1)]} {}
  __device__ void add(int half, std::uint32_t two) {
    const float first = __uint_as_float(two << 16) - origin[half];
    const float second = __uint_as_float(two & 0xffff0000U) - origin[half];
    sum[half] += first + second;
    square[half] += first * first + second * second;
  }
  // Into shared memory: the group's 64 sums, then their squares'.
  __device__ void put(Shared to) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int offset = 1; offset < 4; offset *= 2) {
        sum[half] += __shfl_xor_sync(~0U, sum[half], offset);
        square[half] += __shfl_xor_sync(~0U, square[half], offset);
      }
      if (threadIdx.x % 4 > 0) continue;
      store_4(to + 4 * channel(half), __float_as_uint(sum[half]));
      store_4(to + 4 * (kPlaneChannels + channel(half)), __float_as_uint(square[half]));
    }
  }
};
constexpr int kPutBytes = 2 * kPlaneChannels * 4;
struct NoStatistics {
  __device__ explicit NoStatistics(const float*) {}
  __device__ void add(int, std::uint32_t) {}
};

// Turned around: pixels as they lie x 64 outputs, rounded up to sixteen pixels.
template <class G, int eights, class S>
__device__ inline void put_product(const float (&sum)[eights][4], Shared to, S& statistics) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
  for (int j = 0; j < eights; j += 2) {
    std::uint32_t packed[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int eight = j + i / 2, half = i % 2;
      if (eight == eights) continue;
      packed[i] = pack(sum[eight][2 * half], sum[eight][2 * half + 1]);
      if (is_inside<G>(eight)) statistics.add(half, packed[i]);
    }
    store_transposed(to + place_128(8 * (j + lane / 16) + lane % 8, 2 * warp + lane / 8 % 2),
                     packed);
  }
}

}  // namespace occam::cuda
