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

torch::Tensor by_covariance(const torch::Tensor& train, const torch::Tensor& test,
                            const torch::Tensor& mean) {
  const std::int64_t d = train.size(1);
  const Chunk all_columns{0, d};
  const std::int64_t at_a_time = std::min(std::max(train.size(0), test.size(0)),
                                          rows_at_a_time(train.device(), d, kLeastRows));
  const Room room(at_a_time * d, torch::kDouble, train.device());
  torch::Tensor covariance = at::zeros({d, d}, mean.options());
  for_each_chunk(train.size(0), at_a_time, [&](const Chunk& chunk) {
    const torch::Tensor rows = centred(room, chunk.of(train), mean, all_columns);
    covariance.addmm_(rows.t(), rows);
  });
  covariance.div_(static_cast<double>(train.size(0)));
  covariance.diagonal().add_(kCovarianceFloor);
  const torch::Tensor factor = factor_of(covariance, "feature");
  torch::Tensor surprise = at::empty({test.size(0)}, mean.options());
  for_each_chunk(test.size(0), at_a_time, [&](const Chunk& chunk) {
    const torch::Tensor rows = centred(room, chunk.of(test), mean, all_columns);
    chunk.of(surprise).copy_(whitened_squares(factor, rows.t()));
  });
  return surprise.div_(2).add_(log_diagonal(factor));
}

// With X of the centred train rows, f the floor, b = X y and L L' = n f I + matrix':
//   y'(f I + X'X/n)^-1 y = (|y|^2 - |L^-1 b|^2) / f,
//   log det(f I + X'X/n) = (d - n) log f + 2 sum log L_ii - n log n.
// The difference is one of Cholesky's own pivots: rounding changes it by some 1e-16 n of |y|^2.
torch::Tensor by_products(const torch::Tensor& train, const torch::Tensor& test,
                          const torch::Tensor& mean) {
  const std::int64_t n = train.size(0), d = train.size(1);
  const std::int64_t columns_at_a_time =
      std::min(d, rows_at_a_time(train.device(), std::max(n, kLeastRows), kLeastColumns));
  const std::int64_t rows = std::min(
      test.size(0), rows_at_a_time(train.device(), std::max(n, columns_at_a_time), kLeastRows));
  const Room train_room(n * columns_at_a_time, torch::kDouble, train.device());
  const Room test_room(rows * columns_at_a_time, torch::kDouble, train.device());
  torch::Tensor products = at::zeros({n, n}, mean.options());
  for_each_chunk(d, columns_at_a_time, [&](const Chunk& columns) {
    const torch::Tensor some = centred(train_room, train, mean, columns);
    products.addmm_(some, some.t());
  });
  products.diagonal().add_(static_cast<double>(n) * kCovarianceFloor);
  const torch::Tensor factor = factor_of(products, "train row");
  torch::Tensor surprise = at::empty({test.size(0)}, mean.options());
  for_each_chunk(test.size(0), rows, [&](const Chunk& chunk) {
    torch::Tensor with_train = at::zeros({n, chunk.count}, mean.options());
    torch::Tensor squares = at::zeros({chunk.count}, mean.options());
    for_each_chunk(d, columns_at_a_time, [&](const Chunk& columns) {
      const torch::Tensor some = centred(test_room, chunk.of(test), mean, columns);
      with_train.addmm_(centred(train_room, train, mean, columns), some.t());
      squares.add_(some.square().sum(1));
    });
    chunk.of(surprise).copy_(squares.sub_(whitened_squares(factor, with_train)).clamp_min_(0));
  });
  const auto rank = static_cast<double>(n), dimensions = static_cast<double>(d);
  return surprise.div_(2 * kCovarianceFloor)
      .add_((dimensions - rank) * std::log(kCovarianceFloor) / 2 + log_diagonal(factor) -
            rank * std::log(rank) / 2);
}

}  // namespace

torch::Tensor gaussian_surprise(const torch::Tensor& train, const torch::Tensor& test) {
  const torch::Tensor mean = train.mean(at::IntArrayRef{0}, true, torch::kDouble);
  const bool few_rows = 2 * train.size(0) <= train.size(1);
  return (few_rows ? by_products(train, test, mean) : by_covariance(train, test, mean))
      .add_(static_cast<double>(train.size(1)) * std::log(2 * std::numbers::pi) / 2);
}

}  // namespace occam
