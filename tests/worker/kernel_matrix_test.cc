#include "worker/evaluate/kernel_matrix.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/worker/sample.h"

namespace occam {
namespace {

// More rows than a tile has, of different lengths, one of them of zeros.
torch::Tensor rows() {
  torch::Tensor made = gaussian(1100, 12, 1) * gaussian(1100, 1, 2).exp();
  made.narrow(0, 3, 1).zero_();
  return made;
}

torch::Tensor linear_by_definition(const torch::Tensor& rows) {
  const torch::Tensor wide = rows.to(torch::kDouble);
  return wide.mm(wide.t());
}

torch::Tensor rbf_by_definition(const torch::Tensor& unit, double gamma) {
  const torch::Tensor wide = unit.to(torch::kDouble);
  const auto differences_not_products = 2;
  return (-gamma * at::cdist(wide, wide, 2, differences_not_products).square()).exp();
}

// Entries as a share of `scales`, which products of float32 are right to some ten millionths of.
void expect_is(const Kernel& kernel, const torch::Tensor& expected, const torch::Tensor& scales) {
  const std::int64_t size = expected.size(0);
  ASSERT_EQ(kernel.diagonal.size(), static_cast<std::size_t>(size));
  torch::Tensor found = at::empty({size, size});
  float* entries = found.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < size; ++i)
    kernel.row(static_cast<std::size_t>(i), {entries + i * size, static_cast<std::size_t>(size)});
  EXPECT_LT(((found - expected) / scales).abs().max().item<double>(), 3e-6);
  const torch::Tensor diagonal = at::tensor(kernel.diagonal);
  EXPECT_LT(((diagonal - expected.diagonal()) / scales.diagonal()).abs().max().item<double>(),
            3e-6);
}

TEST(KernelMatrix, HoldsTheKernelThatWasAskedForLast) {
  const torch::Tensor some = rows();
  const torch::Tensor norms = some.to(torch::kDouble).norm(2, 1, true).clamp_min(1e-30);
  const FeatureRows train(some);
  KernelMatrix matrix(train);
  const auto expect_linear = [&] {
    expect_is(matrix.linear(), linear_by_definition(some), norms.mm(norms.t()));
  };
  const auto expect_rbf = [&](double gamma) {
    expect_is(matrix.rbf(gamma), rbf_by_definition(train.unit, gamma), at::ones({1100, 1100}));
  };
  // Each after each: the distances are still there, or have to be made again.
  for (const auto& expect : std::vector<std::function<void()>>{
           expect_linear, expect_linear, [&] { expect_rbf(2); }, [&] { expect_rbf(2); },
           [&] { expect_rbf(0.5); }, expect_linear, [&] { expect_rbf(2); }})
    expect();
}

TEST(KernelMatrix, TellsNearlyEqualRowsApart) {
  // Products of these rows differ by 1e-10, of which float32 holds nothing.
  const torch::Tensor some = gaussian(1, 64, 1) + 1e-5 * gaussian(200, 64, 2);
  const FeatureRows train(some);
  const double gamma = 1 / train.centred_square.mean().item<double>();
  expect_is(KernelMatrix(train).rbf(gamma), rbf_by_definition(train.unit, gamma),
            at::ones({200, 200}));
}

}  // namespace
}  // namespace occam
