#include "worker/train/train.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/every_loss.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

using std::chrono::duration;

// 12 updates in 3 epochs of 4.
torch::Tensor train_images() { return byte_images(32, 1, 16); }

struct Result {
  Training training;
  std::vector<Progress> curve;
  std::vector<std::int64_t> steps_heard;
  std::vector<TrainingState> saves;
};

Result run(const Trial& trial, const std::optional<TrainingState>& from = {},
           std::int64_t stop_after = -1, double save_every = 1e9) {
  Result result;
  TrainingHooks hooks;
  hooks.on_epoch = [&](const Progress& progress) { result.curve.push_back(progress); };
  hooks.on_step = [&](std::int64_t step) { result.steps_heard.push_back(step); };
  hooks.stop_wanted = [&] {
    return !result.steps_heard.empty() && result.steps_heard.back() == stop_after;
  };
  hooks.save = [&](const TrainingState& state) { result.saves.push_back(state); };
  hooks.save_every = duration<double>(save_every);
  Bench bench(torch::kCPU);
  result.training = train(trial, train_images(), bench, from, hooks);
  return result;
}

void expect_same(const Result& a, const Result& b) {
  EXPECT_TRUE(same_bits(a.training.network->flat(), b.training.network->flat()));
  EXPECT_TRUE(same_bits(a.training.network->statistics(), b.training.network->statistics()));
}

class EveryLoss : public testing::TestWithParam<Loss> {};
INSTANTIATE_TEST_SUITE_P(Train, EveryLoss, testing::ValuesIn(every_loss()), loss_name);

TEST_P(EveryLoss, ResumedAfterAnyStepEndsInTheSameBitsAsUndisturbed) {
  const Trial trial = narrow_trial(GetParam());
  const Result undisturbed = run(trial);
  ASSERT_EQ(undisturbed.training.steps, 12);
  ASSERT_EQ(undisturbed.curve.size(), 3);
  for (std::int64_t stop = 1; stop < 12; ++stop) {
    SCOPED_TRACE("stopped after " + std::to_string(stop));
    const Result before = run(trial, {}, stop);
    ASSERT_TRUE(before.training.stopped);
    ASSERT_EQ(before.saves.size(), 1);
    EXPECT_EQ(before.saves[0].step, stop);
    const TemporaryFolder folder;
    const CheckpointFolder checkpoints(folder.path(), id_of(trial));
    checkpoints.save(1, before.saves[0]);
    const Result after = run(trial, checkpoints.newest({1}));
    EXPECT_FALSE(after.training.stopped);
    EXPECT_EQ(after.training.steps, 12);
    EXPECT_EQ(after.steps_heard.front(), stop + 1);
    expect_same(after, undisturbed);
    // The epoch that was cut in two still reports the mean over all of its steps.
    std::vector<Progress> curve = before.curve;
    curve.insert(curve.end(), after.curve.begin(), after.curve.end());
    ASSERT_EQ(curve.size(), 3);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(curve[i].loss, undisturbed.curve[i].loss);
      EXPECT_EQ(curve[i].accuracy, undisturbed.curve[i].accuracy);
    }
  }
}

TEST_P(EveryLoss, GivesTheSameBitsForTheSameSeedAndOthersForAnother) {
  const Result one = run(narrow_trial(GetParam(), 1));
  expect_same(one, run(narrow_trial(GetParam(), 1)));
  EXPECT_FALSE(same_bits(one.training.network->flat(),
                         run(narrow_trial(GetParam(), 2)).training.network->flat()));
}

TEST_P(EveryLoss, ReportsOneRowOfTheCurveAnEpoch) {
  const Trial trial = narrow_trial(GetParam());
  const Result result = run(trial);
  ASSERT_EQ(result.curve.size(), 3);
  for (int i = 0; i < 3; ++i) {
    const Progress& row = result.curve[i];
    EXPECT_EQ(row.epoch, i + 1);
    EXPECT_EQ(row.of, 3);
    EXPECT_NEAR(row.learning_rate, 0.005 * (1 + std::cos(M_PI * i / 3)), 1e-12)
        << "constant within an epoch, cosine over them";
    EXPECT_GT(row.loss, 0);
    EXPECT_LT(row.loss, 5) << "not far from the logarithm of the number of choices";
    EXPECT_GE(row.accuracy, 0);
    EXPECT_LE(row.accuracy, 1);
    EXPECT_GT(row.images_per_second, 0);
  }
  EXPECT_EQ(result.steps_heard.size(), 12);
  EXPECT_TRUE(result.saves.empty());
}

TEST_P(EveryLoss, TakesTheStepsThatItsBudgetNames) {
  Trial trial = narrow_trial(GetParam());
  trial.steps = 6;
  const Result result = run(canonical(trial));
  EXPECT_EQ(result.training.steps, 6);
  ASSERT_EQ(result.curve.size(), 2);
  EXPECT_EQ(result.curve.back().of, 2) << "the second epoch is cut short";
  EXPECT_NEAR(result.curve.back().learning_rate, 0.005, 1e-12);
}

TEST_P(EveryLoss, CountsTheCopiesOfDistributionAugmentationInAnEpoch) {
  Trial trial = narrow_trial(GetParam());
  trial.distribution_augmentation = DistributionAugmentation::rotation;
  trial.epochs = 1;
  EXPECT_EQ(run(trial).training.steps, 16);
}

TEST_P(EveryLoss, DropsTheRowsThatDoNotFillABatch) {
  Trial trial = narrow_trial(GetParam());
  trial.batch_size = 10;
  trial.epochs = 2;
  EXPECT_EQ(run(trial).training.steps, 6);
}

TEST_P(EveryLoss, LowersTheLossOnWhatItHasSeen) {
  Trial trial = narrow_trial(GetParam());
  trial.augmentations = AugmentationSet("none");
  trial.width = 0.125;
  trial.head_layers = 1;
  trial.learning_rate = 0.05;
  trial.epochs = 12;
  const Result result = run(canonical(trial));
  EXPECT_LT(result.curve.back().loss, result.curve.front().loss);
}

TEST_P(EveryLoss, SavesAfterEveryStepButTheLastWhenAlwaysDue) {
  const Result result = run(narrow_trial(GetParam()), {}, -1, 0);
  ASSERT_EQ(result.saves.size(), 11);
  for (std::size_t i = 0; i < 11; ++i) EXPECT_EQ(result.saves[i].step, i + 1);
}

TEST_P(EveryLoss, SavesInEpochsOfOneStepToo) {
  Trial trial = narrow_trial(GetParam());
  trial.batch_size = 32;
  const Result result = run(trial, {}, -1, 0);
  EXPECT_EQ(result.training.steps, 3);
  EXPECT_EQ(result.saves.size(), 2);
}

TEST_P(EveryLoss, SavesWhatLaterStepsLeaveAlone) {
  const Result result = run(narrow_trial(GetParam()), {}, -1, 0);
  EXPECT_FALSE(same_bits(result.saves[0].weights, result.saves[1].weights));
  EXPECT_FALSE(same_bits(result.saves[0].velocity, result.saves[1].velocity));
  EXPECT_FALSE(same_bits(result.saves[0].statistics, result.saves[1].statistics));
}

TEST_P(EveryLoss, DoesNotStopAfterItsLastStep) {
  const Result result = run(narrow_trial(GetParam()), {}, 12);
  EXPECT_FALSE(result.training.stopped);
  EXPECT_TRUE(result.saves.empty());
}

TEST_P(EveryLoss, LeavesTheNetworkAsDrawnWithoutEpochs) {
  Trial trial = narrow_trial(GetParam());
  trial.epochs = 0;
  const Result result = run(canonical(trial));
  EXPECT_EQ(result.training.steps, 0);
  EXPECT_TRUE(result.curve.empty());
  Network drawn(trial, torch::kCPU);
  EXPECT_TRUE(same_bits(result.training.network->flat(), drawn.flat()));
}

TEST_P(EveryLoss, OfAFinishedStateNeedsNoStepMore) {
  const Trial trial = narrow_trial(GetParam());
  const Result result = run(trial);
  const Result again = run(trial, finished_state(result.training));
  EXPECT_TRUE(again.steps_heard.empty());
  EXPECT_EQ(again.training.steps, 12);
  expect_same(again, result);
}

TEST_P(EveryLoss, RefusesACheckpointOfAnotherNetwork) {
  const Result result = run(narrow_trial(GetParam()), {}, 3);
  Trial wider = narrow_trial(GetParam());
  wider.width = 1.0 / 16;
  EXPECT_THROW(run(wider, result.saves[0]), Error);
}

TEST(Train, IsAskedAfterEveryEpochButTheLastWhetherItMoves) {
  std::int64_t step = 0;
  std::vector<std::int64_t> asked;
  std::vector<double> left;
  TrainingHooks hooks;
  hooks.on_step = [&](std::int64_t now) { step = now; };
  hooks.moves = [&](double seconds_left) {
    asked.push_back(step);
    left.push_back(seconds_left);
    return false;
  };
  Bench bench(torch::kCPU);
  const Training training = train(narrow_trial(Loss::rotation), train_images(), bench, {}, hooks);
  EXPECT_EQ(asked, (std::vector<std::int64_t>{4, 8}));
  for (const double seconds : left) EXPECT_GT(seconds, 0);
  EXPECT_FALSE(training.moves_from);
}

TEST(Train, ThatMovesLeavesItsStateBehindAndSavesNothing) {
  TrainingHooks hooks;
  hooks.moves = [](double) { return true; };
  hooks.save = [](const TrainingState&) { FAIL() << "saved"; };
  Bench bench(torch::kCPU);
  const Training training = train(narrow_trial(Loss::rotation), train_images(), bench, {}, hooks);
  ASSERT_TRUE(training.moves_from);
  EXPECT_FALSE(training.stopped);
  EXPECT_EQ(training.steps, 4);
  EXPECT_EQ(training.moves_from->step, 4);
  EXPECT_EQ(training.moves_from->loss_sum, 0);
  EXPECT_TRUE(same_bits(training.moves_from->weights, training.network->flat()));
  train(narrow_trial(Loss::rotation, 2), train_images(), bench, {}, {});
  EXPECT_FALSE(same_bits(training.moves_from->weights, training.network->flat()))
      << "the state is its own, the network the bench's";
}

TEST(Train, CountsTheTimeToItsNextCheckpointFromTheLastOne) {
  TrainingHooks hooks;
  hooks.save_every = std::chrono::hours(1);
  const auto long_ago = std::chrono::steady_clock::now() - std::chrono::hours(2);
  std::vector<std::int64_t> saved;
  hooks.save = [&](const TrainingState& state) { saved.push_back(state.step); };
  hooks.last_save = long_ago;
  Bench bench(torch::kCPU);
  const Training training = train(narrow_trial(Loss::rotation), train_images(), bench, {}, hooks);
  EXPECT_EQ(saved, std::vector<std::int64_t>{1});
  EXPECT_GT(training.last_save, long_ago + std::chrono::hours(1));
}

TEST(Train, TakesForItsRestAsLongAsItsPaceSays) {
  EXPECT_DOUBLE_EQ(seconds_left(300, 100, 4), 12);
  EXPECT_DOUBLE_EQ(seconds_left(50, 100, 4), 2);
}

TEST(Train, ThatLeavesTheRealNumbersIsDiverged) {
  Trial trial = narrow_trial(Loss::rotation);
  trial.learning_rate = 1000;
  trial.schedule = Schedule::constant;
  trial.epochs = 30;
  try {
    run(trial);
    FAIL() << "did not diverge";
  } catch (const Diverged& problem) {
    EXPECT_NE(std::string(problem.what()).find("learning rate 1000"), std::string::npos)
        << problem.what();
  }
}

// The last update is the one whose loss nobody computes.
TEST(Train, WhoseLastUpdateLeavesTheRealNumbersIsDivergedToo) {
  Trial trial = narrow_trial(Loss::rotation);
  trial.learning_rate = 1000;
  trial.weight_decay = 10;
  trial.schedule = Schedule::constant;
  bool ended_whole = false, ended_diverged = false;
  for (std::int64_t steps = 1; steps <= 16; ++steps) {
    trial.steps = steps;
    try {
      const Result result = run(canonical(trial));
      ended_whole = true;
      EXPECT_TRUE(at::isfinite(result.training.network->flat()).all().item<bool>()) << steps;
    } catch (const Diverged&) {
      ended_diverged = true;
    }
  }
  EXPECT_TRUE(ended_whole);
  EXPECT_TRUE(ended_diverged);
}

}  // namespace
}  // namespace occam
