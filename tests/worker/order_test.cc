#include "worker/data/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

namespace occam {
namespace {

TEST(Permutation, HoldsEveryRowOnce) {
  for (std::int64_t count : {0, 1, 2, 3, 1000}) {
    std::vector<std::int64_t> order = permutation(count, 5, Purpose::shuffle, 2);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<std::int64_t>(order.size()), count);
    for (std::int64_t i = 0; i < count; ++i) EXPECT_EQ(order[i], i);
  }
}

TEST(Permutation, IsTheSameForTheSameNamesAndElseAnother) {
  const auto order = permutation(100, 1, Purpose::shuffle, 0);
  EXPECT_EQ(order, permutation(100, 1, Purpose::shuffle, 0));
  EXPECT_NE(order, permutation(100, 1, Purpose::shuffle, 1));
  EXPECT_NE(order, permutation(100, 2, Purpose::shuffle, 0));
  EXPECT_NE(order, permutation(100, 1, Purpose::train_subset, 0));
}

TEST(Permutation, TakesEveryOrderEquallyOften) {
  constexpr int draws = 24000;
  std::map<std::vector<std::int64_t>, int> seen;
  for (int epoch = 0; epoch < draws; ++epoch) ++seen[permutation(4, 1, Purpose::shuffle, epoch)];
  ASSERT_EQ(seen.size(), 24);
  double chi_square = 0;
  for (const auto& [order, count] : seen) chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  EXPECT_LT(chi_square, 49.73);  // 23 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace occam
