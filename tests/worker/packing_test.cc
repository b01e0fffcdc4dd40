#include "worker/packing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tests/worker/sample.h"

namespace occam {
namespace {

// What best_slots chooses among these rates, and what it tried on the way.
std::pair<int, std::vector<int>> chosen(const std::map<int, double>& rates) {
  std::vector<int> tried;
  const int best = best_slots([&](int slots) {
    tried.push_back(slots);
    return rates.at(slots);
  });
  return {best, tried};
}

TEST(Slots, AreAddedWhileEachFourBringSomething) {
  using Tried = std::vector<int>;
  EXPECT_EQ(chosen({{4, 40}, {8, 60}, {12, 57}}), std::pair(8, Tried{4, 8, 12}));
  EXPECT_EQ(chosen({{4, 40}, {8, 60}, {12, 61}}), std::pair(8, Tried{4, 8, 12}))
      << "within what measurements differ by";
  EXPECT_EQ(chosen({{4, 40}, {8, 60}, {12, 70}, {16, 80}}), std::pair(16, Tried{4, 8, 12, 16}));
  EXPECT_EQ(chosen({{4, 40}, {8, 40}, {2, 30}}), std::pair(4, Tried{4, 8, 2}));
  EXPECT_EQ(chosen({{4, 40}, {8, 38}, {2, 40}, {1, 20}}), std::pair(2, Tried{4, 8, 2, 1}));
}

TEST(Slots, AreNoMoreThanFitInMemory) {
  EXPECT_EQ(chosen({{4, 40}, {8, 60}, {12, 0}}).first, 8);
  EXPECT_EQ(chosen({{4, 0}, {2, 20}, {1, 10}}).first, 2);
  EXPECT_EQ(chosen({{4, 0}, {2, 0}, {1, 10}}).first, 1);
}

TEST(PackedRate, IsThatOfTrainingsSideBySide) {
  const Trial trial = narrow_trial(Loss::contrastive);
  const torch::Tensor images = at::zeros({64, 1, 8, 8}, torch::kUInt8);
  EXPECT_GT(packed_rate(trial, images, torch::kCPU, 2, 1, 0.01, 3).images_per_second, 0);
}

TEST(PackedRate, ThrowsWhatATrainingThrows) {
  const torch::Tensor images = at::zeros({64, 1, 8, 8}, torch::kUInt8);
  const torch::Device unknown(torch::kXLA);
  EXPECT_THROW(packed_rate(narrow_trial(Loss::contrastive), images, unknown, 2, 1, 0.01, 3),
               c10::Error);
}

}  // namespace
}  // namespace occam
