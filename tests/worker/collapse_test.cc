#include "worker/train/collapse.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/sample.h"

namespace occam {
namespace {

TEST(EmbeddingSpread, IsTheRootMeanSquareDistanceOfDirectionsFromTheirMean) {
  // Four directions, two and two opposite: their mean is 0, so every distance is 1.
  EXPECT_NEAR(embedding_spread(at::tensor({1.0, 0.0, -3.0, 0.0, 0.0, 0.5, 0.0, -9.0}).view({4, 2})),
              1, 1e-12);
  // Two at right angles: each is half the diagonal away from the middle.
  EXPECT_NEAR(embedding_spread(at::tensor({2.0, 0.0, 0.0, 5.0}).view({2, 2})), std::sqrt(0.5),
              1e-12);
  EXPECT_EQ(embedding_spread(at::zeros({5, 3})), 0);
  EXPECT_NEAR(embedding_spread(at::ones({5, 3}) * at::arange(1, 6).view({5, 1})), 0, 1e-7);
}

TEST(TailBegin, LeavesATenthOfTheEpochsAndAtLeastOne) {
  EXPECT_EQ(tail_begin({0, 1, 2048, 0}), 2048 - 204);
  EXPECT_EQ(tail_begin({0, 1, 20, 0}), 18);
  EXPECT_EQ(tail_begin({0, 1, 3, 0}), 2);
}

Trial of_batch(Loss loss, std::int64_t rows) {
  Trial trial = narrow_trial(loss);
  trial.batch_size = rows;
  return trial;
}

TEST(Collapse, IsALossAtTheLogarithmOfTheCandidates) {
  const Trial one = of_batch(Loss::contrastive, 32);
  EXPECT_NE(collapse(one, {std::log(32), 1.0 / 32}, 0.5), "");
  EXPECT_NE(collapse(one, {1.009 * std::log(32), 0.1}, 0.5), "");
  EXPECT_EQ(collapse(one, {1.011 * std::log(32), 0.1}, 0.5), "");
  EXPECT_EQ(collapse(one, {0.98 * std::log(32), 0.1}, 0.5), "");
  // Both views but the anchor itself.
  const Trial symmetric = of_batch(Loss::contrastive_symmetric, 32);
  EXPECT_NE(collapse(symmetric, {std::log(63), 1.0 / 63}, 0.5), "");
  EXPECT_EQ(collapse(symmetric, {std::log(32), 1.0 / 63}, 0.5), "");
  Trial grouped = one;
  grouped.negatives = 3;
  EXPECT_NE(collapse(grouped, {std::log(4), 0.25}, 0.5), "");
  EXPECT_EQ(collapse(grouped, {std::log(32), 0.25}, 0.5), "");
}

TEST(Collapse, IsNotAHotTemperatureUnderWhichViewsStillFindTheirRow) {
  EXPECT_EQ(collapse(of_batch(Loss::contrastive, 32), {std::log(32), 0.9}, 0.5), "");
}

TEST(Collapse, IsEmbeddingsWithoutSpreadUnderAnyLoss) {
  for (Loss loss : {Loss::contrastive, Loss::rotation, Loss::contrastive_symmetric}) {
    EXPECT_NE(collapse(of_batch(loss, 32), {0.5, 0.9}, 0.5 * kLeastSpread), "");
    EXPECT_EQ(collapse(of_batch(loss, 32), {0.5, 0.9}, 2 * kLeastSpread), "");
  }
}

TEST(Collapse, IsNothingThatAnUntrainedNetworkCanDo) {
  Trial one = narrow_trial(Loss::contrastive);
  one.epochs = 0;
  EXPECT_EQ(collapse(canonical(one), {0, 0}, 0), "");
}

}  // namespace
}  // namespace occam
