#include "worker/evaluate/kernel_matrix.h"

#include <ATen/ATen.h>

namespace occam {

template <class Fill>
const torch::Tensor& KernelMatrix::filled(const Kernel& kernel, Fill fill) {
  if (held_ == kernel) return matrix_;
  if (!matrix_.defined()) matrix_ = large_matrix(train_.count(), train_.count(), train_.device());
  fill_symmetric(matrix_, fill);
  held_ = kernel;
  return matrix_;
}

const torch::Tensor& KernelMatrix::linear() {
  return filled(Linear{}, [&](torch::Tensor tile, const Chunk& rows, const Chunk& columns) {
    at::mm_out(tile, rows.of(train_.given), columns.of(train_.given).t());
  });
}

const torch::Tensor& KernelMatrix::rbf(double gamma) {
  return filled(gamma, [&](torch::Tensor tile, const Chunk& rows, const Chunk& columns) {
    squared_distances(tile, train_, rows, train_, columns);
    tile.mul_(-gamma).exp_();
  });
}

}  // namespace occam
