#include "worker/evaluate/gaussian.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <string>

#include "experiments/error.h"
#include "worker/evaluate/chunks.h"

namespace occam {
namespace {

constexpr double kCovarianceFloor = 1e-6;  // scikit-learn's reg_covar

// Enough for a product to be worth the reading of the matrix that it is added to.
constexpr std::int64_t kLeastRows = 1024, kLeastColumns = 256;

torch::Tensor factor_of(const torch::Tensor& matrix, const std::string& of_each) {
  // ATen's linear algebra on GPUs is a library that its first use loads, which fails in all threads
  // but one when that use comes from several at once.
  static const torch::Tensor first =
      std::get<0>(at::linalg_cholesky_ex(at::ones({1, 1}, matrix.options())));
  const auto [factor, failure] = at::linalg_cholesky_ex(matrix);
  if (failure.item<int>() != 0)
    throw Error("gde: the covariance of the train features is not positive definite (at " +
                of_each + " " + std::to_string(failure.item<int>() - 1) + ")");
  return factor;
}

double log_diagonal(const torch::Tensor& factor) {
  return factor.diagonal().log().sum().item<double>();
}

// |L^-1 b|^2 of each column b.
torch::Tensor whitened_squares(const torch::Tensor& factor, const torch::Tensor& columns) {
  return at::linalg_solve_triangular(factor, columns, /*upper=*/false).square_().sum(0);
}

// Some columns of rows, less the mean.
torch::Tensor centred(const Room& room, const torch::Tensor& rows, const torch::Tensor& mean,
                      const Chunk& columns) {
  return room.shaped(rows.size(0), columns.count)
      .copy_(columns.columns_of(rows))
      .sub_(columns.columns_of(mean));
}

std::int64_t products_columns(const torch::Tensor& train) {
  return std::min(train.size(1), rows_at_a_time(train.device(), std::max(train.size(0), kLeastRows),
                                                kLeastColumns));
}

}  // namespace

Gaussian::Gaussian(const torch::Tensor& train)
    : train_(train),
      mean_(train.mean(at::IntArrayRef{0}, true, torch::kDouble)),
      few_rows_(2 * train.size(0) <= train.size(1)) {
  few_rows_ ? fit_products() : fit_covariance();
  least_ += static_cast<double>(train.size(1)) * std::log(2 * std::numbers::pi) / 2;
}

torch::Tensor Gaussian::surprise(const torch::Tensor& rows) const {
  return few_rows_ ? by_products(rows) : by_covariance(rows);
}

void Gaussian::fit_covariance() {
  const std::int64_t n = train_.size(0), d = train_.size(1);
  const Chunk all_columns{0, d};
  const std::int64_t at_a_time = std::min(n, rows_at_a_time(train_.device(), d, kLeastRows));
  const Room room(at_a_time * d, torch::kDouble, train_.device());
  torch::Tensor covariance = at::zeros({d, d}, mean_.options());
  for_each_chunk(n, at_a_time, [&](const Chunk& chunk) {
    const torch::Tensor some = centred(room, chunk.of(train_), mean_, all_columns);
    covariance.addmm_(some.t(), some);
  });
  covariance.div_(static_cast<double>(n));
  covariance.diagonal().add_(kCovarianceFloor);
  factor_ = factor_of(covariance, "feature");
  least_ = log_diagonal(factor_);
}

torch::Tensor Gaussian::by_covariance(const torch::Tensor& rows) const {
  const std::int64_t d = rows.size(1);
  const std::int64_t at_a_time =
      std::min(rows.size(0), rows_at_a_time(rows.device(), d, kLeastRows));
  const Room room(at_a_time * d, torch::kDouble, rows.device());
  torch::Tensor surprise = at::empty({rows.size(0)}, mean_.options());
  for_each_chunk(rows.size(0), at_a_time, [&](const Chunk& chunk) {
    const torch::Tensor some = centred(room, chunk.of(rows), mean_, {0, d});
    chunk.of(surprise).copy_(whitened_squares(factor_, some.t()));
  });
  return surprise.div_(2).add_(least_);
}

// With X of the centred train rows, f the floor, b = X y and L L' = n f I + matrix':
//   y'(f I + X'X/n)^-1 y = (|y|^2 - |L^-1 b|^2) / f,
//   log det(f I + X'X/n) = (d - n) log f + 2 sum log L_ii - n log n.
// The difference is one of Cholesky's own pivots: rounding changes it by some 1e-16 n of |y|^2.
void Gaussian::fit_products() {
  const std::int64_t n = train_.size(0), d = train_.size(1);
  const std::int64_t columns_at_a_time = products_columns(train_);
  const Room room(n * columns_at_a_time, torch::kDouble, train_.device());
  torch::Tensor products = at::zeros({n, n}, mean_.options());
  for_each_chunk(d, columns_at_a_time, [&](const Chunk& columns) {
    const torch::Tensor some = centred(room, train_, mean_, columns);
    products.addmm_(some, some.t());
  });
  products.diagonal().add_(static_cast<double>(n) * kCovarianceFloor);
  factor_ = factor_of(products, "train row");
  const auto rank = static_cast<double>(n), dimensions = static_cast<double>(d);
  least_ = (dimensions - rank) * std::log(kCovarianceFloor) / 2 + log_diagonal(factor_) -
           rank * std::log(rank) / 2;
}

torch::Tensor Gaussian::by_products(const torch::Tensor& rows) const {
  const std::int64_t n = train_.size(0), d = train_.size(1);
  const std::int64_t columns_at_a_time = products_columns(train_);
  const std::int64_t at_a_time = std::min(
      rows.size(0), rows_at_a_time(rows.device(), std::max(n, columns_at_a_time), kLeastRows));
  const Room train_room(n * columns_at_a_time, torch::kDouble, rows.device());
  const Room room(at_a_time * columns_at_a_time, torch::kDouble, rows.device());
  torch::Tensor surprise = at::empty({rows.size(0)}, mean_.options());
  for_each_chunk(rows.size(0), at_a_time, [&](const Chunk& chunk) {
    torch::Tensor with_train = at::zeros({n, chunk.count}, mean_.options());
    torch::Tensor squares = at::zeros({chunk.count}, mean_.options());
    for_each_chunk(d, columns_at_a_time, [&](const Chunk& columns) {
      const torch::Tensor some = centred(room, chunk.of(rows), mean_, columns);
      with_train.addmm_(centred(train_room, train_, mean_, columns), some.t());
      squares.add_(some.square().sum(1));
    });
    chunk.of(surprise).copy_(squares.sub_(whitened_squares(factor_, with_train)).clamp_min_(0));
  });
  return surprise.div_(2 * kCovarianceFloor).add_(least_);
}

}  // namespace occam
