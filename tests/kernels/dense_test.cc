// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/dense.cu"
// clang-format on
#include <gtest/gtest.h>

#include "tests/kernels/numbers.h"

namespace occam {
namespace {

constexpr std::size_t kOfHopper = 227 << 10;  // bytes of shared memory that a block may have

struct Case {
  std::size_t rows, inputs, outputs, next;
};
class Dense : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Dense,
                         testing::Values(Case{64, 128, 64, 64}, Case{40, 1024, 64, 128},
                                         Case{128, 192, 64, 64}, Case{256, 512, 64, 128},
                                         Case{200, 320, 64, 320}, Case{3, 64, 64, 64}));

// Forward and backward against their definition, in double.
TEST_P(Dense, IsItsDefinition) {
  const auto [rows, inputs, outputs, next] = GetParam();
  Numbers numbers(3);
  const Halves x = numbers.halves(rows * inputs, 1), w = numbers.halves(outputs * inputs, 0.05F),
               behind = numbers.halves(rows * next, 1),
               next_w = numbers.halves(next * outputs, 0.05F);
  std::vector<float> gamma(outputs), beta(outputs), mean(outputs), variance(outputs, 1);
  for (std::size_t i = 0; i < outputs; ++i) {
    gamma[i] = 0.5F + std::abs(numbers.next());
    beta[i] = numbers.next();
    mean[i] = numbers.next();
  }
  const std::vector<float> mean_before = mean;
  std::vector<float> saved(7 * outputs, NAN), dgamma(outputs, NAN), dbeta(outputs, NAN);
  Halves z(rows * outputs), y(z.size()), dz(z.size()), dw(w.size());
  const cuda::DenseShape shape{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(inputs),
                               static_cast<std::int64_t>(outputs)};
  ASSERT_TRUE(cuda::is_dense(shape, kOfHopper));
  cuda::dense_forward(shape, x.data(), w.data(),
                      {gamma.data(), beta.data(), mean.data(), variance.data()}, saved.data(),
                      z.data(), y.data(), nullptr);
  cuda::dense_backward(shape, {behind.data(), next_w.data(), static_cast<std::int64_t>(next)},
                       x.data(), z.data(), gamma.data(), saved.data(), dz.data(), dw.data(),
                       dgamma.data(), dbeta.data(), nullptr);

  Difference of_z, of_y, of_dz, of_dw, of_norm;
  const auto n = static_cast<double>(rows);
  for (std::size_t out = 0; out < outputs; ++out) {
    std::vector<double> kept(rows), g(rows);
    double m = 0, v = 0, sum = 0, product = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      double exact = 0;
      for (std::size_t k = 0; k < inputs; ++k)
        exact += value(x[row * inputs + k]) * value(w[out * inputs + k]);
      kept[row] = value(z[row * outputs + out]);
      of_z.add(kept[row], exact);
      m += kept[row] / n;
    }
    for (const double one : kept) v += (one - m) * (one - m) / n;
    const double inverse = 1 / std::sqrt(v + 1e-5);
    for (std::size_t row = 0; row < rows; ++row) {
      const double normed = (kept[row] - m) * inverse, before = normed * gamma[out] + beta[out];
      of_y.add(value(y[row * outputs + out]), std::max(0.0, before));
      for (std::size_t k = 0; before > 0 && k < next; ++k)
        g[row] += value(behind[row * next + k]) * value(next_w[k * outputs + out]);
      sum += g[row];
      product += g[row] * normed;
    }
    of_norm.add(dgamma[out], product);
    of_norm.add(dbeta[out], sum);
    of_norm.add(mean[out], mean_before[out] + 0.1 * (m - mean_before[out]));
    of_norm.add(variance[out], 1 + 0.1 * (v * n / (n - 1) - 1));
    for (std::size_t row = 0; row < rows; ++row)
      of_dz.add(
          value(dz[row * outputs + out]),
          gamma[out] * inverse * (g[row] - sum / n - (kept[row] - m) * inverse * product / n));
    for (std::size_t k = 0; k < inputs; ++k) {
      double exact = 0;
      for (std::size_t row = 0; row < rows; ++row)
        exact += value(dz[row * outputs + out]) * value(x[row * inputs + k]);
      of_dw.add(value(dw[out * inputs + k]), exact);
    }
  }
  EXPECT_LT(of_z.relative(), kRounding);
  EXPECT_LT(of_y.relative(), kRounding);
  EXPECT_LT(of_dz.relative(), kRounding);
  EXPECT_LT(of_dw.relative(), kRounding);
  EXPECT_LT(of_norm.relative(), 1e-5);
}

TEST(DenseShapes, AreMultiplesOfWhatABlockTakes) {
  EXPECT_FALSE(cuda::is_dense({64, 100, 512}, kOfHopper));
  EXPECT_FALSE(cuda::is_dense({64, 512, 72}, kOfHopper));
  EXPECT_FALSE(cuda::is_dense({257, 512, 512}, kOfHopper));
  // Compute capability 8.6, 8.9 and 12.0.
  constexpr std::size_t kOfSmaller = 99 << 10;
  EXPECT_TRUE(cuda::is_dense({64, 512, 512}, kOfSmaller));
  EXPECT_FALSE(cuda::is_dense({65, 512, 512}, kOfSmaller));
  EXPECT_FALSE(cuda::is_dense({256, 512, 512}, kOfSmaller));
}

}  // namespace
}  // namespace occam
