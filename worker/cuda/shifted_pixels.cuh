#pragma once

#include <algorithm>

#include "worker/cuda/convolution.cuh"

// Boxes of a tile's pixels, as a convolution's shift takes them: whole rows of images, or whole
// images, of a grid of side x side pixels an image.

namespace occam::cuda {

// Of 64 channels. Neighbours of the grid are `step` apart in the images.
inline Boxes pixel_boxes(const void* images, std::int64_t count, std::int64_t side,
                         std::int64_t channels, int step, int pixels) {
  const auto grid = static_cast<int>(side / step);
  const int rows = std::min(grid, pixels / grid);
  const std::int64_t row = side * channels;
  return boxes_of(images, {{{channels, 1, kPlaneChannels},
                            {side, channels, grid, step},
                            {1, row, 1},
                            {side, row, rows, step},
                            {count, side * row, pixels / (grid * rows)}}});
}
// Of the grid's pixels from this one on, all images counted.
__device__ inline Place pixel_place(int pixel, int grid, int step) {
  const int row = pixel / grid;
  return {0, 0, 0, row % grid * step, row / grid};
}
}  // namespace occam::cuda
