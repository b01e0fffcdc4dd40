#include "worker/benches.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

TEST(Parts, AreTheSmallestThatHoldAShare) {
  EXPECT_EQ(parts_for(1.0 / 8, 4), 4);
  EXPECT_EQ(parts_for(1.0 / 4, 4), 4);
  EXPECT_EQ(parts_for(3.0 / 8, 4), 2);
  EXPECT_EQ(parts_for(0.5, 4), 2);
  EXPECT_EQ(parts_for(5.0 / 8, 4), 1);
  EXPECT_EQ(parts_for(1, 4), 1);
  EXPECT_EQ(parts_for(1.0 / 3, 3), 3);
  EXPECT_EQ(parts_for(0.5, 3), 1) << "thirds cannot be halves";
  EXPECT_EQ(parts_for(0.1, 1), 1);
}

TEST(Benches, GiveBackTheOneThatIsWarm) {
  Trial one, other;
  one.width = other.width = 0.125;
  one.batch_size = 4;
  other.batch_size = 8;
  const torch::Tensor images = at::zeros({16, 1, 8, 8}, torch::kUInt8);
  Benches benches(torch::kCPU, 2, 1, [](const std::string& text) { FAIL() << text; });
  auto first = benches.take(one, 1, 1), second = benches.take(other, 1, 2);
  first->step(one, images);
  second->step(other, images);
  const Bench* const of_other = second.get();
  benches.give_back(std::move(first));
  benches.give_back(std::move(second));
  const auto again = benches.take(other, 1, 1);
  EXPECT_EQ(again.get(), of_other);
  EXPECT_TRUE(again->is_warm(other));
}

TEST(Benches, KeepNoMoreStepsThanSlots) {
  Trial trial;
  trial.width = 0.125;
  const torch::Tensor images = at::zeros({64, 1, 8, 8}, torch::kUInt8);
  Benches benches(torch::kCPU, 1, 1, [](const std::string& text) { FAIL() << text; });
  trial.batch_size = 4;
  auto first = benches.take(trial, 1, 1);
  first->step(trial, images);
  benches.give_back(std::move(first));
  trial.batch_size = 8;
  EXPECT_FALSE(benches.take(trial, 1, 1)->is_warm(trial)) << "the only slot's bench, cold";
}

}  // namespace
}  // namespace occam
