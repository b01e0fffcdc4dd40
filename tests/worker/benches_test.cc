#include "worker/benches.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace occam {
namespace {

constexpr double kEighth = 1.0 / 8;

Trial small_trial(std::int64_t batch) {
  Trial trial;
  trial.width = 0.125;
  trial.batch_size = batch;
  return trial;
}

Trial bf16_trial() {
  Trial trial = small_trial(4);
  trial.precision = Precision::bf16;
  return trial;
}

torch::Tensor some_images() { return at::zeros({64, 1, 8, 8}, torch::kUInt8); }

// On a CPU a part is a number alone.
class OnParts : public testing::Test {
 protected:
  std::vector<std::unique_ptr<Bench>> take(int trials) {
    std::vector<std::unique_ptr<Bench>> taken;
    for (int i = 0; i < trials; ++i) taken.push_back(benches_.take(trial_, kEighth, 8));
    return taken;
  }
  Trial trial_ = bf16_trial();
  Benches benches_{torch::kCPU, 8, 4, [](const std::string& text) { FAIL() << text; }};
};

TEST(Benches, GiveBackTheOneThatIsWarm) {
  const Trial one = small_trial(4), other = small_trial(8);
  Benches benches(torch::kCPU, 2, 1, [](const std::string& text) { FAIL() << text; });
  auto first = benches.take(one, 1, 1), second = benches.take(other, 1, 2);
  first->step(one, some_images());
  second->step(other, some_images());
  const Bench* const of_other = second.get();
  benches.give_back(std::move(first));
  benches.give_back(std::move(second));
  const auto again = benches.take(other, 1, 1);
  EXPECT_EQ(again.get(), of_other);
  EXPECT_TRUE(again->is_warm(other));
}

TEST(Benches, KeepNoMoreStepsThanSlots) {
  const Trial one = small_trial(4), other = small_trial(8);
  Benches benches(torch::kCPU, 1, 1, [](const std::string& text) { FAIL() << text; });
  auto first = benches.take(one, 1, 1);
  first->step(one, some_images());
  benches.give_back(std::move(first));
  EXPECT_FALSE(benches.take(other, 1, 1)->is_warm(other)) << "the only slot's bench, cold";
}

TEST(Benches, OfACpuAreOfOnePart) {
  EXPECT_EQ(parts_of(torch::kCPU, 8, 4), 1);
  EXPECT_EQ(parts_of(torch::Device(torch::kCUDA, 0), 8, 4), 4);
  EXPECT_EQ(parts_of(torch::Device(torch::kCUDA, 0), 4, 4), 2);
}

TEST_F(OnParts, SpreadTrialsAndMoveTheLastOnesApart) {
  auto taken = take(5);
  EXPECT_EQ(taken[3]->part(), (cuda::Part{3, 4}));
  EXPECT_EQ(taken[4]->part(), (cuda::Part{0, 4}));
  EXPECT_FALSE(benches_.has_better(*taken[0], trial_, kEighth, 5)) << "two there too";
  for (const int gone : {1, 2, 3}) benches_.give_back(std::move(taken[gone]));
  ASSERT_TRUE(benches_.has_better(*taken[0], trial_, kEighth, 2));
  auto better = benches_.take_better(*taken[0], trial_, kEighth, 2);
  ASSERT_TRUE(better);
  EXPECT_EQ(better->part(), (cuda::Part{1, 2}));
  benches_.give_back(std::move(taken[0]));
  EXPECT_TRUE(benches_.has_better(*taken[4], trial_, kEighth, 2)) << "a half for itself";
  benches_.give_back(std::move(better));
  EXPECT_TRUE(benches_.has_better(*taken[4], trial_, kEighth, 1)) << "the device for itself";
}

TEST_F(OnParts, LetOneOfTwoHaveThePartThatBothSaw) {
  auto taken = take(5);
  benches_.give_back(std::move(taken[3]));
  ASSERT_TRUE(benches_.has_better(*taken[0], trial_, kEighth, 4));
  ASSERT_TRUE(benches_.has_better(*taken[4], trial_, kEighth, 4));
  std::atomic<int> moved{0};
  const auto move = [&](std::unique_ptr<Bench>& bench) {
    auto better = benches_.take_better(*bench, trial_, kEighth, 4);
    if (!better) return;
    bench.swap(better);
    benches_.give_back(std::move(better));
    ++moved;
  };
  std::thread first([&] { move(taken[0]); }), second([&] { move(taken[4]); });
  first.join();
  second.join();
  EXPECT_EQ(moved, 1);
  EXPECT_NE(taken[0]->part(), taken[4]->part());
}

TEST_F(OnParts, LeaveATrialInFloat32WhereItIs) {
  const Trial wide = small_trial(4);
  const auto bench = benches_.take(wide, kEighth, 8);
  EXPECT_EQ(bench->part(), cuda::Part{});
  const auto beside = take(2);
  EXPECT_FALSE(benches_.has_better(*bench, wide, kEighth, 3));
  EXPECT_EQ(benches_.take_better(*bench, wide, kEighth, 3), nullptr);
}

TEST(Benches, KeepTheStepThatATrialLeavesLongestWhereThereIsRoom) {
  const Trial trial = bf16_trial();
  for (const int slots : {2, 3, 4}) {
    Benches benches(torch::kCPU, slots, 4, [](const std::string& text) { FAIL() << text; });
    std::vector<std::unique_ptr<Bench>> taken;
    for (int i = 0; i < 5; ++i) taken.push_back(benches.take(trial, kEighth, 8));
    taken[0]->step(trial, some_images());
    taken[3]->step(trial, some_images());
    const Bench* const waiting = taken[3].get();
    for (const int gone : {1, 2, 3}) benches.give_back(std::move(taken[gone]));
    ASSERT_TRUE(benches.take_better(*taken[0], trial, kEighth, 2));
    EXPECT_EQ(waiting->has_step(), slots == 4) << slots;
    EXPECT_EQ(taken[0]->has_step(), slots >= 3) << slots;
  }
}

TEST_F(OnParts, GiveATrialThatMovesAWarmBench) {
  auto taken = take(5);
  taken[3]->step(trial_, some_images());
  const Bench* const warm = taken[3].get();
  benches_.give_back(std::move(taken[3]));
  const auto better = benches_.take_better(*taken[0], trial_, kEighth, 4);
  EXPECT_EQ(better.get(), warm);
  EXPECT_TRUE(better->is_warm(trial_));
}

TEST_F(OnParts, MoveATrialByItsMoves) {
  auto taken = take(5);
  int running = 5;
  const Moves moves = benches_.moves(trial_, kEighth, [&] { return running; });
  EXPECT_FALSE(moves.has_better(*taken[0]));
  EXPECT_EQ(moves.take_better(*taken[0]), nullptr);
  moves.give_back(std::move(taken[2]));
  running = 4;
  ASSERT_TRUE(moves.has_better(*taken[0]));
  EXPECT_EQ(moves.take_better(*taken[0])->part(), (cuda::Part{2, 4}));
}

}  // namespace
}  // namespace occam
