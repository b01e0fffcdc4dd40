// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/batch_norm.cu"
#include "worker/cuda/batch_norm_backward.cu"
// clang-format on
#include <gtest/gtest.h>

#include "tests/kernels/numbers.h"

namespace occam {
namespace {

using cuda::NormGradient;
using Floats = std::vector<float>;
using Doubles = std::vector<double>;

// What the kernels are given, and their results by definition, in double.
struct Norm {
  std::size_t rows, channels;
  Halves x, residual, a, b;
  Floats gamma, beta, mean, variance;

  Norm(std::size_t row_count, std::size_t channel_count)
      : rows(row_count), channels(channel_count) {
    Numbers numbers(6);
    for (Halves* one : {&x, &residual, &a, &b}) *one = numbers.halves(rows * channels, 1);
    for (std::size_t i = 0; i < channels; ++i) {
      gamma.push_back(0.5F + std::abs(numbers.next()));
      beta.push_back(0.3F * numbers.next());
      mean.push_back(numbers.next());
      variance.push_back(1);
    }
  }
  cuda::NormShape shape() const {
    return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(channels),
            cuda::Element::bfloat16};
  }
  cuda::NormParameters parameters() {
    return {gamma.data(), beta.data(), mean.data(), variance.data()};
  }
  std::size_t size() const { return rows * channels; }

  Doubles batch_mean() const {
    Doubles sums(channels);
    for (std::size_t i = 0; i < size(); ++i)
      sums[i % channels] += value(x[i]) / static_cast<double>(rows);
    return sums;
  }
  Doubles batch_variance() const {
    const Doubles means = batch_mean();
    Doubles sums(channels);
    for (std::size_t i = 0; i < size(); ++i)
      sums[i % channels] +=
          std::pow(value(x[i]) - means[i % channels], 2) / static_cast<double>(rows);
    return sums;
  }
};

struct Scratch {
  explicit Scratch(std::size_t channels)
      : floats(static_cast<std::size_t>(
                   cuda::norm_scratch_bytes(static_cast<std::int64_t>(channels))) /
               sizeof(float)) {}
  Floats floats;
};

struct Case {
  std::size_t rows, channels;
};
class BatchNorm : public testing::TestWithParam<Case> {
 protected:
  BatchNorm() : norm(GetParam().rows, GetParam().channels), scratch(norm.channels) {}
  Norm norm;
  Scratch scratch;
  Floats saved = Floats(cuda::kNormSaved * norm.channels, NAN);
  Floats of_gamma = Floats(norm.channels, NAN), of_beta = of_gamma;
  const Doubles mean = norm.batch_mean(), variance = norm.batch_variance();

  double inverse(std::size_t channel) const { return 1 / std::sqrt(variance[channel] + 1e-5); }
  double normed(std::size_t i) const {
    const std::size_t channel = i % norm.channels;
    return (value(norm.x[i]) - mean[channel]) * inverse(channel);
  }
  double before_relu(std::size_t i) const {
    const std::size_t channel = i % norm.channels;
    return normed(i) * norm.gamma[channel] + norm.beta[channel];
  }
  void expect_statistics(const Norm& before) const {
    Difference of_running;
    const auto n = static_cast<double>(norm.rows);
    for (std::size_t i = 0; i < norm.channels; ++i) {
      of_running.add(norm.mean[i], before.mean[i] + 0.1 * (mean[i] - before.mean[i]));
      of_running.add(norm.variance[i], 1 + 0.1 * (variance[i] * (n > 1 ? n / (n - 1) : 1) - 1));
    }
    EXPECT_LT(of_running.relative(), 1e-5);
  }
  // Of the gradient a (+ b) through this mask.
  void expect_backward(NormGradient::Mask mask, bool two, const Halves& y, const Halves* g_out,
                       const Halves& dx) const {
    Doubles g(norm.size()), sum(norm.channels), product(norm.channels);
    Difference of_g, of_dx, of_parameters;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const bool passes = mask == NormGradient::Mask::none ||
                          (mask == NormGradient::Mask::y ? value(y[i]) > 0 : before_relu(i) > 0);
      g[i] = passes ? value(norm.a[i]) + (two ? value(norm.b[i]) : 0) : 0;
      sum[i % norm.channels] += g[i];
      product[i % norm.channels] += g[i] * normed(i);
      if (g_out) of_g.add(value((*g_out)[i]), g[i]);
    }
    const auto n = static_cast<double>(norm.rows);
    for (std::size_t i = 0; i < g.size(); ++i) {
      const std::size_t channel = i % norm.channels;
      of_dx.add(value(dx[i]), norm.gamma[channel] * inverse(channel) *
                                  (g[i] - sum[channel] / n - normed(i) * product[channel] / n));
    }
    for (std::size_t i = 0; i < norm.channels; ++i) {
      of_parameters.add(of_gamma[i], product[i]);
      of_parameters.add(of_beta[i], sum[i]);
    }
    EXPECT_LT(of_parameters.relative(), 1e-5);
    EXPECT_LT(of_dx.relative(), kRounding);
    if (g_out) {
      EXPECT_LT(of_g.relative(), kRounding);
    }
  }
};
// One row a thread and fewer, strips that do not end with a thread's rows, and more strips than
// their last block adds up at once.
INSTANTIATE_TEST_SUITE_P(Shapes, BatchNorm,
                         testing::Values(Case{3, 64}, Case{200, 8}, Case{700, 192}, Case{3000, 64},
                                         Case{28000, 64}));

TEST_P(BatchNorm, IsItsDefinition) {
  const Norm before = norm;
  cuda::norm_statistics(norm.shape(), norm.x.data(), norm.parameters(), saved.data(),
                        scratch.floats.data(), nullptr);
  expect_statistics(before);
  // The residual as it is, and normalised by what is x's own here.
  for (const bool normalises : {false, true}) {
    Halves y(norm.size());
    cuda::norm_apply(norm.shape(), norm.x.data(), saved.data(), norm.residual.data(),
                     normalises ? saved.data() : nullptr, true, y.data(), nullptr);
    Difference of_y;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t channel = i % norm.channels;
      const double other = value(norm.residual[i]);
      of_y.add(
          value(y[i]),
          std::max(0.0, before_relu(i) + (normalises ? (other - mean[channel]) * inverse(channel) *
                                                               norm.gamma[channel] +
                                                           norm.beta[channel]
                                                     : other)));
    }
    EXPECT_LT(of_y.relative(), kRounding);
  }
}

TEST_P(BatchNorm, HasTheGradientOfItsDefinition) {
  cuda::norm_statistics(norm.shape(), norm.x.data(), norm.parameters(), saved.data(),
                        scratch.floats.data(), nullptr);
  Halves y(norm.size());
  cuda::norm_apply(norm.shape(), norm.x.data(), saved.data(), norm.residual.data(), nullptr, true,
                   y.data(), nullptr);
  using Mask = NormGradient::Mask;
  for (const Mask mask : {Mask::none, Mask::x, Mask::y})
    for (const bool two : {false, true}) {
      Halves g(norm.size()), dx(norm.size());
      const NormGradient gradient{norm.a.data(), two ? norm.b.data() : nullptr, mask, y.data()};
      cuda::norm_backward_sums(norm.shape(), gradient, norm.x.data(), norm.gamma.data(),
                               saved.data(), g.data(), of_gamma.data(), of_beta.data(),
                               scratch.floats.data(), nullptr);
      cuda::norm_backward_apply(norm.shape(), gradient, norm.x.data(), saved.data(), dx.data(),
                                nullptr);
      expect_backward(mask, two, y, &g, dx);
    }
}

class BatchNormOfFew : public BatchNorm {};
INSTANTIATE_TEST_SUITE_P(Shapes, BatchNormOfFew,
                         testing::Values(Case{3, 64}, Case{200, 8}, Case{cuda::kNormFewRows, 128}));

TEST_P(BatchNormOfFew, RowsIsTheSameInOneLaunch) {
  const Norm before = norm;
  Halves y(norm.size()), dx(norm.size());
  cuda::norm_forward_few(norm.shape(), norm.x.data(), norm.parameters(), saved.data(), y.data(),
                         nullptr);
  expect_statistics(before);
  Difference of_y;
  for (std::size_t i = 0; i < y.size(); ++i) of_y.add(value(y[i]), std::max(0.0, before_relu(i)));
  EXPECT_LT(of_y.relative(), kRounding);
  cuda::norm_backward_few(norm.shape(), norm.a.data(), norm.x.data(), norm.gamma.data(),
                          saved.data(), of_gamma.data(), of_beta.data(), dx.data(), nullptr);
  expect_backward(NormGradient::Mask::x, false, y, nullptr, dx);
}

}  // namespace
}  // namespace occam
