#pragma once

#include <type_traits>

#include "worker/cuda/convolution.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/matrix.cuh"

// What the kernels of convolution.h share: tiles of images in shared memory, by planes of 64
// channels, whose pixels are rows of 128 bytes.

namespace occam::cuda {

using Bf16 = __nv_bfloat16;

constexpr int kShifts = 9;
constexpr int kPlaneChannels = 64;
constexpr int kRowBytes = kPlaneChannels * 2, kChunks = kRowBytes / 16;
constexpr int kGroup = 128;  // threads

// The channels of an image, and its part that a block works on: so many rows and columns, with a
// border of one pixel when they are inputs.
template <int channels, int rows, int columns>
struct Geometry {
  static constexpr int kChannels = channels, kRows = rows, kColumns = columns;
  static constexpr int kPlanes = channels / kPlaneChannels;
  static constexpr int kPixels = rows * columns;
  static constexpr int kBorderedColumns = columns + 2;
  static constexpr int kBorderedPixels = (rows + 2) * kBorderedColumns;
  // What the tensor cores read of one plane repeats every 1,024 bytes.
  static constexpr int kBytes = kPixels * kRowBytes;
  static constexpr int kBorderedBytes = (kBorderedPixels * kRowBytes + 1023) / 1024 * 1024;

  static std::int64_t tiles(const ConvolutionShape& shape) {
    return shape.images * (shape.side / kRows) * (shape.side / kColumns);
  }
};

struct Tile {
  std::int64_t image;
  int row, column;
};
template <class G>
__device__ inline Tile tile_of(std::int64_t index, int side) {
  const int across = side / G::kColumns;
  const int each = (side / G::kRows) * across;
  const int within = static_cast<int>(index % each);
  return {index / each, within / across * G::kRows, within % across * G::kColumns};
}

// The i-th sixteen bytes of a tile's plane with one more pixel all around, zeros outside of the
// image.
template <class G>
__device__ inline void copy_bordered(const Bf16* images, const Tile& tile, int plane, int side,
                                     int i, Shared to) {
  const int pixel = i / kChunks, chunk = i % kChunks;
  const int row = tile.row + pixel / G::kBorderedColumns - 1;
  const int column = tile.column + pixel % G::kBorderedColumns - 1;
  const bool outside = row < 0 || row >= side || column < 0 || column >= side;
  const Bf16* from = outside ? images
                             : images + ((tile.image * side + row) * side + column) * G::kChannels +
                                   plane * kPlaneChannels + chunk * 8;
  copy_16(to + place_128(pixel, chunk), from, outside);
}
template <class G>
__device__ inline void copy_plain(const Bf16* images, const Tile& tile, int plane, int side, int i,
                                  Shared to) {
  const int pixel = i / kChunks, chunk = i % kChunks;
  const int row = tile.row + pixel / G::kColumns, column = tile.column + pixel % G::kColumns;
  copy_16(to + place_128(pixel, chunk),
          images + ((tile.image * side + row) * side + column) * G::kChannels +
              plane * kPlaneChannels + chunk * 8,
          false);
}

// Two bfloat16 about their origins, into sums and sums of squares.
__device__ inline void add_squares(std::uint32_t two, const float* origin, float* sum,
                                   float* square) {
  const float2 values{__uint_as_float(two << 16), __uint_as_float(two & 0xffff0000U)};
  const float first = values.x - origin[0], second = values.y - origin[1];
  sum[0] += first;
  square[0] += first * first;
  sum[1] += second;
  square[1] += second * second;
}

// A gradient's way through a ReLU, eight neighbouring channels at a time, with the sums that the
// norm before it wants.
template <bool kHasResidual, bool kHasOther>
struct EightThroughRelu {
  float scale[8], shift[8], mean[8];
  float sum[8] = {}, product[8] = {};

  __device__ void look_up(const NormBefore& before, int channels, int first) {
    load<8>(before.saved + first, scale);
    load<8>(before.saved + channels + first, shift);
    load<8>(before.saved + 2 * channels + first, mean);
  }
  // `index` is the first one's place.
  __device__ void take(const NormBefore& before, std::int64_t index, uint4& eight) {
    float g[8], c[8], y[8];
    load<8>(reinterpret_cast<const Bf16*>(&eight), g);
    load<8>(static_cast<const Bf16*>(before.c) + index, c);
    if constexpr (kHasOther) {
      float other[8];
      load<8>(static_cast<const Bf16*>(before.other) + index, other);
#pragma unroll
      for (int i = 0; i < 8; ++i) g[i] += other[i];
    }
    if constexpr (kHasResidual) load<8>(static_cast<const Bf16*>(before.y) + index, y);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if constexpr (!kHasResidual) y[i] = fmaf(c[i], scale[i], shift[i]);
      if (!(y[i] > 0)) g[i] = 0;
      sum[i] += g[i];
      product[i] += g[i] * (c[i] - mean[i]);
    }
    store<8>(g, reinterpret_cast<Bf16*>(&eight));
  }
};

// Calls work(bool_constant<has residual>, bool_constant<has another gradient>).
template <class Work>
void with_before(const NormBefore& before, Work work) {
  const auto with = [&](auto residual) {
    if (before.other)
      work(residual, std::true_type{});
    else
      work(residual, std::false_type{});
  };
  if (before.y)
    with(std::true_type{});
  else
    with(std::false_type{});
}

}  // namespace occam::cuda
