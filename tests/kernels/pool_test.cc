// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/pool.cu"
// clang-format on
#include <gtest/gtest.h>

#include "tests/kernels/numbers.h"

namespace occam {
namespace {

template <class T>
class Pool : public testing::Test {};
using Elements = testing::Types<float, __nv_bfloat16>;
TYPED_TEST_SUITE(Pool, Elements);

TYPED_TEST(Pool, IsTheMeanAndSpreadsItsGradient) {
  constexpr std::size_t kImages = 9, kChannels = 72;
  for (const std::size_t pixels : {1, 16, 49}) {
    Numbers numbers(4);
    const auto x = numbers.of<TypeParam>(kImages * pixels * kChannels, 1);
    std::vector<TypeParam> mean(kImages * kChannels), of_x(x.size());
    const cuda::PoolShape shape{kImages, static_cast<std::int64_t>(pixels), kChannels,
                                kElementOf<TypeParam>};
    cuda::pool(shape, x.data(), mean.data(), nullptr);
    cuda::pool_backward(shape, mean.data(), of_x.data(), nullptr);
    Difference of_mean, of_gradient;
    for (std::size_t image = 0; image < kImages; ++image)
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        const double found = value(mean[image * kChannels + channel]);
        double sum = 0;
        for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
          const std::size_t at = (image * pixels + pixel) * kChannels + channel;
          sum += value(x[at]);
          of_gradient.add(value(of_x[at]), found / static_cast<double>(pixels));
        }
        of_mean.add(found, sum / static_cast<double>(pixels));
      }
    EXPECT_LT(of_mean.relative(), kRoundingOf<TypeParam>);
    EXPECT_LT(of_gradient.relative(), kRoundingOf<TypeParam>);
  }
}

}  // namespace
}  // namespace occam
