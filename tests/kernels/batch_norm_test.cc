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
template <class T>
struct Norm {
  std::size_t rows, channels;
  std::vector<T> x, residual, a, b;
  Floats gamma, beta, mean, variance;

  Norm(std::size_t row_count, std::size_t channel_count)
      : rows(row_count), channels(channel_count) {
    Numbers numbers(6);
    for (auto* one : {&x, &residual, &a, &b}) *one = numbers.of<T>(rows * channels, 1);
    for (std::size_t i = 0; i < channels; ++i) {
      gamma.push_back(0.5F + std::abs(numbers.next()));
      beta.push_back(0.3F * numbers.next());
      mean.push_back(numbers.next());
      variance.push_back(1);
    }
  }
  cuda::NormShape shape() const {
    return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(channels), kElementOf<T>};
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
// One row a thread and fewer, strips that do not end with a thread's rows, and more strips than
// their last block adds up at once.
constexpr Case kCases[] = {{3, 64}, {200, 8}, {700, 192}, {3000, 64}, {28000, 64}};

template <class T>
struct Tested {
  explicit Tested(const Case& one) : norm(one.rows, one.channels), scratch(norm.channels) {}
  Norm<T> norm;
  Scratch scratch;
  Floats saved = Floats(cuda::kNormSaved * norm.channels, NAN);
  Floats of_gamma = Floats(norm.channels, NAN), of_beta = of_gamma;
  const Doubles mean = norm.batch_mean(), variance = norm.batch_variance();

  cuda::NormGradients gradients() {
    return {norm.gamma.data(), saved.data(), of_gamma.data(), of_beta.data()};
  }
  double inverse(std::size_t channel) const { return 1 / std::sqrt(variance[channel] + 1e-5); }
  double normed(std::size_t i) const {
    const std::size_t channel = i % norm.channels;
    return (value(norm.x[i]) - mean[channel]) * inverse(channel);
  }
  double before_relu(std::size_t i) const {
    const std::size_t channel = i % norm.channels;
    return normed(i) * norm.gamma[channel] + norm.beta[channel];
  }
  void expect_statistics(const Norm<T>& before) const {
    Difference of_running;
    const auto n = static_cast<double>(norm.rows);
    for (std::size_t i = 0; i < norm.channels; ++i) {
      of_running.add(norm.mean[i], before.mean[i] + 0.1 * (mean[i] - before.mean[i]));
      of_running.add(norm.variance[i], 1 + 0.1 * (variance[i] * (n > 1 ? n / (n - 1) : 1) - 1));
    }
    EXPECT_LT(of_running.relative(), 1e-5);
  }
  // Of the gradient a (+ b) through this mask; b is empty, or of all pixels.
  void expect_backward(NormGradient::Mask mask, const std::vector<T>& b, const std::vector<T>& y,
                       const std::vector<T>* g_out, const std::vector<T>& dx) const {
    Doubles g(norm.size()), sum(norm.channels), product(norm.channels);
    Difference of_g, of_dx, of_parameters;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const bool passes = mask == NormGradient::Mask::none ||
                          (mask == NormGradient::Mask::y ? value(y[i]) > 0 : before_relu(i) > 0);
      g[i] = passes ? value(norm.a[i]) + (b.empty() ? 0 : value(b[i])) : 0;
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
    // Of g, too, where that was stored.
    EXPECT_LT(of_dx.relative(), (g_out ? 2 : 1) * kRoundingOf<T>);
    if (g_out) {
      EXPECT_LT(of_g.relative(), kRoundingOf<T>);
    }
  }
};

// The first pixels of `some` where images of this side have even rows and columns, else zeros.
template <class T>
std::vector<T> among_zeros(const std::vector<T>& some, std::size_t side, std::size_t channels) {
  std::vector<T> all(some.size());
  auto from = some.begin();
  for (std::size_t pixel = 0; pixel < all.size() / channels; ++pixel) {
    if (pixel / side % side % 2 != 0 || pixel % side % 2 != 0) continue;
    std::copy_n(from, channels, all.begin() + static_cast<std::ptrdiff_t>(pixel * channels));
    from += static_cast<std::ptrdiff_t>(channels);
  }
  return all;
}

template <class T>
class BatchNorm : public testing::Test {};
using Elements = testing::Types<float, __nv_bfloat16>;
TYPED_TEST_SUITE(BatchNorm, Elements);

TYPED_TEST(BatchNorm, IsItsDefinition) {
  for (const Case& one : kCases) {
    Tested<TypeParam> tested(one);
    auto& norm = tested.norm;
    const auto before = norm;
    cuda::norm_statistics(norm.shape(), norm.x.data(), norm.parameters(), tested.saved.data(),
                          tested.scratch.floats.data(), nullptr);
    tested.expect_statistics(before);
    // The residual as it is, and normalised by what is x's own here.
    for (const bool normalises : {false, true}) {
      std::vector<TypeParam> y(norm.size());
      cuda::norm_apply(norm.shape(), norm.x.data(), tested.saved.data(), norm.residual.data(),
                       normalises ? tested.saved.data() : nullptr, true, y.data(), nullptr);
      Difference of_y;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t channel = i % norm.channels;
        const double other = value(norm.residual[i]);
        const double added = normalises ? (other - tested.mean[channel]) * tested.inverse(channel) *
                                                  norm.gamma[channel] +
                                              norm.beta[channel]
                                        : other;
        of_y.add(value(y[i]), std::max(0.0, tested.before_relu(i) + added));
      }
      EXPECT_LT(of_y.relative(), kRoundingOf<TypeParam>);
    }
  }
}

TYPED_TEST(BatchNorm, HasTheGradientOfItsDefinition) {
  for (const Case& one : kCases) {
    Tested<TypeParam> tested(one);
    auto& norm = tested.norm;
    cuda::norm_statistics(norm.shape(), norm.x.data(), norm.parameters(), tested.saved.data(),
                          tested.scratch.floats.data(), nullptr);
    std::vector<TypeParam> y(norm.size());
    cuda::norm_apply(norm.shape(), norm.x.data(), tested.saved.data(), norm.residual.data(),
                     nullptr, true, y.data(), nullptr);
    using Mask = NormGradient::Mask;
    // None, one of all pixels, and one of every other row and column, as it would be of all.
    struct Second {
      std::vector<TypeParam> of_all, given;
      std::int64_t side;
    };
    std::vector<Second> seconds{{{}, {}, 0}, {norm.b, norm.b, 0}};
    constexpr std::size_t kSide = 10;
    if (norm.rows % (kSide * kSide) == 0)
      seconds.push_back({among_zeros(norm.b, kSide, norm.channels), norm.b, kSide});
    for (const Mask mask : {Mask::none, Mask::x, Mask::y})
      for (const auto& [b, given, side] : seconds) {
        // As the network does, the gradient goes where what it is made of was.
        std::vector<TypeParam> g = norm.a, dx(norm.size());
        const auto* second = given.empty() ? nullptr : given.data();
        const NormGradient gradient{g.data(), second, mask, y.data(), side};
        cuda::norm_backward_sums(norm.shape(), gradient, norm.x.data(), tested.gradients(),
                                 g.data(), tested.scratch.floats.data(), nullptr);
        const NormGradient passed{g.data(), nullptr, Mask::none, nullptr};
        cuda::norm_backward_apply(norm.shape(), passed, norm.x.data(), tested.saved.data(),
                                  dx.data(), nullptr);
        tested.expect_backward(mask, b, y, &g, dx);
        cuda::norm_backward_apply(norm.shape(), {norm.a.data(), second, mask, y.data(), side},
                                  norm.x.data(), tested.saved.data(), dx.data(), nullptr);
        tested.expect_backward(mask, b, y, nullptr, dx);
      }
  }
}

TYPED_TEST(BatchNorm, OfFewRowsIsTheSameInOneLaunch) {
  for (const Case& one : {Case{3, 64}, Case{200, 8}, Case{cuda::kNormFewRows, 128}}) {
    Tested<TypeParam> tested(one);
    auto& norm = tested.norm;
    const auto before = norm;
    std::vector<TypeParam> y(norm.size()), dx(norm.size());
    cuda::norm_forward_few(norm.shape(), norm.x.data(), norm.parameters(), tested.saved.data(),
                           y.data(), nullptr);
    tested.expect_statistics(before);
    Difference of_y;
    for (std::size_t i = 0; i < y.size(); ++i)
      of_y.add(value(y[i]), std::max(0.0, tested.before_relu(i)));
    EXPECT_LT(of_y.relative(), kRoundingOf<TypeParam>);
    cuda::norm_backward_few(norm.shape(), norm.a.data(), norm.x.data(), tested.gradients(),
                            dx.data(), nullptr);
    tested.expect_backward(NormGradient::Mask::x, {}, y, nullptr, dx);
  }
}

// A training that diverges must have no finite loss.
TYPED_TEST(BatchNorm, KeepsWhatIsNoNumber) {
  Tested<TypeParam> tested({200, 64});
  auto& norm = tested.norm;
  set(norm.x[64 * 7 + 5], NAN);
  std::vector<TypeParam> y(norm.size());
  cuda::norm_statistics(norm.shape(), norm.x.data(), norm.parameters(), tested.saved.data(),
                        tested.scratch.floats.data(), nullptr);
  cuda::norm_apply(norm.shape(), norm.x.data(), tested.saved.data(), nullptr, nullptr, true,
                   y.data(), nullptr);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(value(y[i])), i % 64 == 5);
}

}  // namespace
}  // namespace occam
