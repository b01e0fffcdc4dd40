#include "worker/run_trial.h"

#include <gtest/gtest.h>

#include "experiments/error.h"
#include "tests/worker/sample.h"
#include "worker/evaluate/export.h"
#include "worker/train/checkpoint.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

class RunTrial : public testing::Test {
 protected:
  Start start(const Trial& trial, std::int64_t lease = 5) const {
    return {id_of(trial), trial,   {{Features::pool, Classifier::kde, {.test_limit = 200}}},
            lease,        {lease}, (folder_.path() / id_of(trial)).string()};
  }
  std::variant<Outcome, Stopped, Left> run(const Start& what, const RunOptions& options = {}) {
    return run_trial(what, images_, bench_, pulse_, options);
  }
  Outcome outcome(const Start& what, const RunOptions& options = {}) {
    const auto brought = run(what, options);
    EXPECT_TRUE(std::holds_alternative<Outcome>(brought)) << "was stopped";
    return std::holds_alternative<Outcome>(brought) ? std::get<Outcome>(brought) : Outcome{};
  }

  TemporaryFolder folder_;
  ImageCache images_{folder_.path()};
  Bench bench_{torch::kCPU};
  Pulse pulse_;
};

Trial short_trial() {
  Trial trial = narrow_trial(Loss::rotation);
  trial.train_limit = 16;
  trial.epochs = 2;
  return canonical(trial);
}

TEST_F(RunTrial, BringsTheScoresAndWhatTheyCost) {
  std::vector<Progress> curve;
  RunOptions options;
  options.on_progress = [&](const Progress& progress) { curve.push_back(progress); };
  const Start what = start(short_trial());
  const Outcome found = outcome(what, options);
  EXPECT_EQ(found.status, OutcomeStatus::completed);
  EXPECT_EQ(found.error, "");
  EXPECT_EQ(found.trial, what.trial);
  EXPECT_EQ(found.lease, 5);
  EXPECT_EQ(found.steps, 4);
  EXPECT_EQ(found.data, images_.get(Dataset::synthetic)->digest);
  EXPECT_GT(found.train_seconds, 0);
  EXPECT_GT(found.evaluate_seconds, 0);
  ASSERT_EQ(found.evaluations.size(), 1);
  EXPECT_EQ(found.evaluations[0].request, what.evaluations[0]);
  ASSERT_EQ(curve.size(), 2);
  EXPECT_EQ(curve[1].trial, what.trial);
  EXPECT_EQ(curve[1].lease, 5);
  EXPECT_EQ(curve[1].epoch, 2);
  EXPECT_EQ(pulse_.phase, Pulse::Phase::evaluating);
}

TEST_F(RunTrial, BringsTheSameScoresAgain) {
  const Outcome one = outcome(start(short_trial(), 1)), two = outcome(start(short_trial(), 2));
  EXPECT_EQ(one.evaluations[0].auroc, two.evaluations[0].auroc);
}

TEST_F(RunTrial, ThatFailsBringsTheMessageAsAnOutcome) {
  Trial trial = short_trial();
  trial.dataset = Dataset::fashion_mnist;  // is not in the folder
  const Outcome found = outcome(start(trial));
  EXPECT_EQ(found.status, OutcomeStatus::failed);
  EXPECT_NE(found.error.find("fashion-mnist: no train-images-idx3-ubyte"), std::string::npos)
      << found.error;
  EXPECT_EQ(found.trial, id_of(trial));
  EXPECT_EQ(found.lease, 5);
  EXPECT_TRUE(found.evaluations.empty());
}

TEST_F(RunTrial, ThatCannotWriteItsCheckpointFails) {
  Start what = start(short_trial());
  what.folder = "/dev/null/trial";
  RunOptions options;
  options.checkpoint_every = 0;
  const Outcome found = outcome(what, options);
  EXPECT_EQ(found.status, OutcomeStatus::failed);
  EXPECT_NE(found.error.find("/dev/null/trial"), std::string::npos) << found.error;
}

TEST_F(RunTrial, ThatDivergesIsNoFailure) {
  Trial trial = short_trial();
  trial.learning_rate = 1000;
  trial.schedule = Schedule::constant;
  trial.epochs = 60;
  const Outcome found = outcome(start(trial));
  EXPECT_EQ(found.status, OutcomeStatus::diverged);
  EXPECT_NE(found.error, "");
  EXPECT_TRUE(found.evaluations.empty());
}

TEST_F(RunTrial, StoppedInTrainingContinuesFromItsCheckpoint) {
  const Outcome undisturbed = outcome(start(short_trial(), 1));
  RunOptions stopping;
  stopping.stop_wanted = [&] { return pulse_.count == 3; };
  const Start what = start(short_trial(), 2);
  const auto brought = run(what, stopping);
  ASSERT_TRUE(std::holds_alternative<Stopped>(brought));
  EXPECT_EQ(std::get<Stopped>(brought).trial, what.trial);
  EXPECT_EQ(std::get<Stopped>(brought).lease, 2);
  EXPECT_EQ(CheckpointFolder(what.folder, what.trial).newest({2})->step, 3);

  Start next = start(short_trial(), 3);
  next.resumable = {2};
  const Outcome found = outcome(next);
  EXPECT_EQ(found.steps, 4);
  EXPECT_EQ(found.evaluations[0].auroc, undisturbed.evaluations[0].auroc);
}

TEST_F(RunTrial, StoppedInItsEvaluationNeedsNoTrainingAgain) {
  const Outcome undisturbed = outcome(start(short_trial(), 1));
  RunOptions stopping;
  stopping.stop_wanted = [&] { return pulse_.phase == Pulse::Phase::evaluating; };
  ASSERT_TRUE(std::holds_alternative<Stopped>(run(start(short_trial(), 2), stopping)));
  Start next = start(short_trial(), 3);
  next.resumable = {2};
  int epochs = 0;
  RunOptions options;
  options.on_progress = [&](const Progress&) { ++epochs; };
  const Outcome found = outcome(next, options);
  EXPECT_EQ(epochs, 0);
  EXPECT_EQ(found.steps, 4);
  EXPECT_EQ(found.evaluations[0].auroc, undisturbed.evaluations[0].auroc);
}

TEST_F(RunTrial, DoesNotContinueFromLeasesThatItWasNotGiven) {
  RunOptions stopping;
  stopping.stop_wanted = [&] { return pulse_.count == 3; };
  run(start(short_trial(), 2), stopping);
  std::int64_t first = 0;
  RunOptions options;
  options.on_progress = [&](const Progress& progress) {
    if (first == 0) first = progress.epoch;
  };
  outcome(start(short_trial(), 3), options);
  EXPECT_EQ(first, 1);
}

TEST_F(RunTrial, OfAnUntrainedNetworkStopsWithoutACheckpoint) {
  Trial trial = short_trial();
  trial.epochs = 0;
  const Start what = start(canonical(trial));
  RunOptions stopping;
  stopping.stop_wanted = [] { return true; };
  EXPECT_TRUE(std::holds_alternative<Stopped>(run(what, stopping)));
  EXPECT_FALSE(fs::exists(what.folder));
  EXPECT_EQ(outcome(what).steps, 0);
}

TEST_F(RunTrial, ExportsTheFeaturesThatItScores) {
  RunOptions options;
  options.export_folder = folder_.path() / "export";
  outcome(start(short_trial()), options);
  EXPECT_EQ(read_npy(options.export_folder / "train.npy").sizes(),
            (std::vector<std::int64_t>{16, 16}));
  EXPECT_EQ(read_npy(options.export_folder / "test.npy").sizes(),
            (std::vector<std::int64_t>{1024, 16}));
  EXPECT_EQ(read_npy(options.export_folder / "is_outlier.npy").numel(), 1024);
}

TEST_F(RunTrial, ReadsADataSetOnceForAllTrials) {
  EXPECT_EQ(images_.get(Dataset::synthetic), images_.get(Dataset::synthetic));
}

}  // namespace
}  // namespace occam
