#include "worker/evaluate/gaussian.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace occam {
namespace {

torch::Tensor gaussian(std::int64_t count, std::int64_t columns, std::uint64_t seed) {
  return at::randn({count, columns}, at::detail::createCPUGenerator(seed), torch::kFloat);
}

// By the definition, all at once: log N(y; mean, covariance + 1e-6 I).
torch::Tensor by_definition(const torch::Tensor& train, const torch::Tensor& test) {
  const auto n = static_cast<double>(train.size(0)), d = static_cast<double>(train.size(1));
  const torch::Tensor wide = train.to(torch::kDouble);
  const torch::Tensor mean = wide.mean(0, true), rows = wide - mean;
  const torch::Tensor covariance =
      rows.t().mm(rows) / n + 1e-6 * at::eye(train.size(1), torch::kDouble);
  const torch::Tensor seen = test.to(torch::kDouble) - mean;
  return (seen * at::linalg_solve(covariance, seen.t()).t()).sum(1) / 2 +
         at::logdet(covariance) / 2 + d * std::log(2 * std::numbers::pi) / 2;
}

// Relative, for surprises far from the rows are some 1e6, the inverse of the floor.
void expect_as_defined(const torch::Tensor& train, const torch::Tensor& test, double tolerance) {
  const torch::Tensor expected = by_definition(train, test);
  const torch::Tensor found = Gaussian(train).surprise(test);
  ASSERT_EQ(found.sizes(), expected.sizes());
  const double apart =
      ((found - expected).abs() / expected.abs().clamp_min(1)).max().item<double>();
  EXPECT_LT(apart, tolerance) << train.size(0) << " x " << train.size(1);
}

TEST(Gaussian, IsThatOfTheDefinitionWhateverTheShape) {
  // On both sides of twice as many features as rows, and over more than one chunk of either.
  for (const auto& [rows, columns] : {std::pair{200, 30}, {60, 119}, {60, 120}, {7, 700}, {1, 3}})
    expect_as_defined(0.05 * gaussian(rows, columns, 1), 0.05 * gaussian(1500, columns, 2), 1e-8);
}

TEST(Gaussian, KnowsTrainRowsAmongMoreFeatures) {
  // In the span of the train rows all but the 1e-6 of the floor cancels.
  const torch::Tensor train = 0.1 * gaussian(40, 300, 1);
  expect_as_defined(train, train, 1e-7);
  expect_as_defined(train, (train + train.flip(0)) / 2, 1e-7);
}

TEST(Gaussian, TakesCopiesAndConstantColumnsAmongMoreFeatures) {
  torch::Tensor train = 0.1 * gaussian(40, 300, 1);
  train.narrow(0, 0, 20).copy_(train.narrow(0, 20, 20));
  train.narrow(1, 3, 9).fill_(0.2);
  expect_as_defined(train, 0.1 * gaussian(25, 300, 2), 1e-8);
}

TEST(Gaussian, OfNoRowsIsNone) {
  EXPECT_EQ(Gaussian(gaussian(3, 20, 1)).surprise(at::empty({0, 20})).numel(), 0);
  EXPECT_EQ(Gaussian(gaussian(30, 2, 1)).surprise(at::empty({0, 2})).numel(), 0);
}

}  // namespace
}  // namespace occam
