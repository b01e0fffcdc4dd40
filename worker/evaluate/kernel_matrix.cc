#include "worker/evaluate/kernel_matrix.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace occam {
namespace {

// The solver is at home on a CPU.
struct HostRows {
  explicit HostRows(const torch::Tensor& matrix) : all(matrix.cpu()) {}
  std::span<const float> row(std::size_t i) const {
    const auto size = static_cast<std::size_t>(all.size(1));
    return {all.const_data_ptr<float>() + i * size, size};
  }
  torch::Tensor all;
};

std::vector<float> on_host(const torch::Tensor& numbers) {
  const torch::Tensor flat = numbers.flatten().cpu().contiguous();
  const auto* first = flat.const_data_ptr<float>();
  return {first, first + flat.numel()};
}

}  // namespace

void KernelMatrix::make_distances() {
  if (has_distances_) return;
  if (!matrix_.defined()) matrix_ = large_matrix(train_.count(), train_.count(), train_.device());
  fill_symmetric(matrix_, [&](torch::Tensor tile, const Chunk& rows, const Chunk& columns) {
    squared_distances(tile, train_, rows, train_, columns);
  });
  has_distances_ = true;
  gamma_.reset();
}

// <x_i, x_j> = |x_i| |x_j| (1 - |x^_i - x^_j|^2 / 2), also of rows of zeros, whose norm is 0.
Kernel KernelMatrix::linear() {
  make_distances();
  const std::vector<float> norms = on_host(train_.norm);
  std::vector<float> squares;
  for (const float norm : norms) squares.push_back(norm * norm);
  return {squares, [norms, distances = HostRows(matrix_)](std::size_t i, std::span<float> row) {
            const float* __restrict distance = distances.row(i).data();
            const float* __restrict norm = norms.data();
            const float own = norms[i];
            for (std::size_t j = 0; j < row.size(); ++j)
              row[j] = own * norm[j] * (1 - distance[j] / 2);
          }};
}

Kernel KernelMatrix::rbf(double gamma) {
  if (gamma_ != gamma) {
    make_distances();
    for_each_chunk(train_.count(), rows_at_a_time(train_.device(), train_.count()),
                   [&](const Chunk& rows) { rows.of(matrix_).mul_(-gamma).exp_(); });
    has_distances_ = false;
    gamma_ = gamma;
  }
  return {on_host(matrix_.diagonal()),
          [kernel = HostRows(matrix_)](std::size_t i, std::span<float> row) {
            std::ranges::copy(kernel.row(i), row.begin());
          }};
}

}  // namespace occam
