#include "worker/train/sgd.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace occam {
namespace {

Trial trial(Schedule schedule, std::int64_t epochs = 8) {
  Trial one;
  one.schedule = schedule;
  one.epochs = epochs;
  one.learning_rate = 0.01;
  return canonical(one);
}

TEST(SgdStep, IsKerasMomentumWithoutNesterovAndCoupledWeightDecay) {
  constexpr double rate = 0.1, momentum = 0.9, weight_decay = 0.03;
  torch::Tensor weights = at::tensor({1.0, -2.0, 0.5}, torch::kFloat64);
  torch::Tensor velocity = at::zeros_like(weights);
  std::vector<double> w{1.0, -2.0, 0.5}, v{0, 0, 0};
  for (int step = 0; step < 5; ++step) {
    std::vector<double> g;
    for (int i = 0; i < 3; ++i) g.push_back(std::sin(3.0 * step + i));
    torch::Tensor gradient = at::tensor(g, torch::kFloat64);
    sgd_step(weights, velocity, gradient, rate, momentum, weight_decay);
    for (int i = 0; i < 3; ++i) {
      v[i] = momentum * v[i] - rate * (g[i] + weight_decay * w[i]);
      w[i] += v[i];
      EXPECT_NEAR(weights[i].item<double>(), w[i], 1e-14);
      EXPECT_NEAR(velocity[i].item<double>(), v[i], 1e-14);
    }
  }
}

// By hand: g = 2 + 0.5 * 4 = 4, v = 0.5 * 1 - 0.1 * 4 = 0.1, w = 4 + 0.1.
TEST(SgdStep, MovesOneWeightAsByHand) {
  torch::Tensor weights = at::tensor({4.0}, torch::kFloat64);
  torch::Tensor velocity = at::tensor({1.0}, torch::kFloat64);
  torch::Tensor gradient = at::tensor({2.0}, torch::kFloat64);
  sgd_step(weights, velocity, gradient, 0.1, 0.5, 0.5);
  EXPECT_NEAR(velocity.item<double>(), 0.1, 1e-15);
  EXPECT_NEAR(weights.item<double>(), 4.1, 1e-15);
}

// The rate is inside the velocity: after it falls, old gradients still count with the old rate.
TEST(SgdStep, KeepsTheOldRateInTheVelocity) {
  torch::Tensor weights = at::zeros({1}, torch::kFloat64), velocity = at::zeros_like(weights);
  torch::Tensor gradient = at::ones({1}, torch::kFloat64);
  sgd_step(weights, velocity, gradient, 1, 0.9, 0);
  gradient.fill_(0);
  sgd_step(weights, velocity, gradient, 0, 0.9, 0);
  EXPECT_NEAR(weights.item<double>(), -1.9, 1e-15);
}

TEST(LearningRate, OfCosineFallsFromTheBaseTowardsZeroOverTheEpochs) {
  const Trial one = trial(Schedule::cosine);
  const double expected[] = {
      0.01,  0.009619397662556434, 0.008535533905932738,  0.006913417161825449,
      0.005, 0.003086582838174551, 0.0014644660940672627, 0.0003806023374435663};
  for (int epoch = 0; epoch < 8; ++epoch)
    EXPECT_NEAR(learning_rate(one, epoch), expected[epoch], 1e-16);
}

TEST(LearningRate, OfTheReleasedRecipeIsHalfInTheMiddle) {
  const Trial released;
  EXPECT_EQ(learning_rate(released, 0), 0.01);
  EXPECT_NEAR(learning_rate(released, 1024), 0.005, 1e-15);
  EXPECT_NEAR(learning_rate(released, 2047), 0.005 * (1 + std::cos(M_PI * 2047 / 2048)), 1e-18);
}

TEST(LearningRate, OfConstantStays) {
  for (int epoch = 0; epoch < 8; ++epoch)
    EXPECT_EQ(learning_rate(trial(Schedule::constant), epoch), 0.01);
}

TEST(LearningRate, OfStepIsATenthAfterHalfAndAgainAfterThreeQuarters) {
  const double expected[] = {0.01, 0.01, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001};
  for (int epoch = 0; epoch < 8; ++epoch)
    EXPECT_NEAR(learning_rate(trial(Schedule::step), epoch), expected[epoch], 1e-17);
}

TEST(LearningRate, CountsTheEpochsThatAStepBudgetNeeds) {
  Trial one = trial(Schedule::cosine);
  one.steps = 2 * budget(one).steps_per_epoch + 1;  // two epochs and a bit are three
  EXPECT_NEAR(learning_rate(canonical(one), 1), 0.01 * 0.5 * (1 + std::cos(M_PI / 3)), 1e-16);
}

TEST(LearningRate, ScalesWithTheBatchOverTheReleasedOneOfTheLoss) {
  Trial one = trial(Schedule::constant);
  one.batch_size = 128;
  one.learning_rate_scaling = LearningRateScaling::linear;
  EXPECT_NEAR(learning_rate(one, 0), 0.04, 1e-16);
  one.learning_rate_scaling = LearningRateScaling::sqrt;
  EXPECT_NEAR(learning_rate(one, 0), 0.02, 1e-16);
  one.loss = Loss::rotation;
  EXPECT_NEAR(learning_rate(one, 0), 0.01 * std::sqrt(2.0), 1e-16);
  one.learning_rate_scaling = LearningRateScaling::linear;
  EXPECT_NEAR(learning_rate(one, 0), 0.02, 1e-16);
  one.learning_rate_scaling = LearningRateScaling::none;
  EXPECT_EQ(learning_rate(one, 0), 0.01);
}

}  // namespace
}  // namespace occam
