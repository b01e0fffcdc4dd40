#pragma once

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>

namespace occam {

// Consecutive rows, or columns, of a matrix.
struct Chunk {
  std::int64_t first, count;
  torch::Tensor of(const torch::Tensor& all) const { return all.narrow(0, first, count); }
  torch::Tensor columns_of(const torch::Tensor& all) const { return all.narrow(1, first, count); }
};

template <class Visit>
void for_each_chunk(std::int64_t all, std::int64_t at_a_time, Visit visit) {
  for (std::int64_t first = 0; first < all; first += at_a_time)
    visit(Chunk{first, std::min(at_a_time, all - first)});
}

// How many rows of `width` numbers to work on at a time, `least` or more of them: on a CPU as many
// as stay in a cache, on a GPU as many as take longer than the calls that start the work.
std::int64_t rows_at_a_time(torch::Device device, std::int64_t width, std::int64_t least = 1);

// Room for one chunk after another: what is allocated anew for each may cost more in page faults
// than the arithmetic.
class Room {
 public:
  Room(std::int64_t entries, torch::ScalarType type, torch::Device device)
      : flat_(at::empty({entries}, at::device(device).dtype(type))) {}
  torch::Tensor shaped(std::int64_t rows, std::int64_t columns) const {
    return flat_.narrow(0, 0, rows * columns).view({rows, columns});
  }

 private:
  torch::Tensor flat_;
};

// Of float32, not initialised; on a CPU in pages of 2 MiB where Linux has them to give.
torch::Tensor large_matrix(std::int64_t rows, std::int64_t columns, torch::Device device);

// The side of the tiles in which large products are made.
std::int64_t tile_side(torch::Device device);

// Fills a symmetric matrix of float32, whose lower half fill(tile, rows, columns) makes, tile by
// tile.
template <class Fill>
void fill_symmetric(const torch::Tensor& matrix, Fill fill) {
  const std::int64_t size = matrix.size(0), side = std::min(size, tile_side(matrix.device()));
  const Room made(side * side, torch::kFloat, matrix.device());
  const Room turned(side * side, torch::kFloat, matrix.device());
  for_each_chunk(size, side, [&](const Chunk& rows) {
    for_each_chunk(rows.first + rows.count, side, [&](const Chunk& columns) {
      const torch::Tensor tile = made.shaped(rows.count, columns.count);
      fill(tile, rows, columns);
      columns.columns_of(rows.of(matrix)).copy_(tile);
      if (columns.first == rows.first) return;
      // Turned in a cache first: in the matrix each of its entries is on a page of its own.
      const torch::Tensor mirrored = turned.shaped(columns.count, rows.count).copy_(tile.t());
      rows.columns_of(columns.of(matrix)).copy_(mirrored);
    });
  });
}

}  // namespace occam
