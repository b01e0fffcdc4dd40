#include "worker/run_trial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>

#include "experiments/disk.h"
#include "experiments/error.h"
#include "tests/worker/sample.h"
#include "worker/evaluate/kept_files.h"
#include "worker/evaluate/npy.h"
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
  std::unique_ptr<Bench> bench_ = std::make_unique<Bench>(torch::kCPU);
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

TEST_F(RunTrial, ThatCannotWriteItsCheckpointGoesOnAndSaysSo) {
  Start what = start(short_trial());
  what.folder = "/dev/null/trial";
  RunOptions options;
  options.checkpoint_every = 0;
  std::string said;
  options.on_problem = [&](const std::string& problem) { said = problem; };
  const Outcome found = outcome(what, options);
  EXPECT_EQ(found.status, OutcomeStatus::completed);
  EXPECT_EQ(found.error, "");
  EXPECT_NE(said.find("goes on without: /dev/null/trial"), std::string::npos) << said;
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
  std::vector<std::int64_t> saved;
  stopping.on_saved = [&](const Saved& one) { saved.push_back(one.lease * 100 + one.step); };
  const Start what = start(short_trial(), 2);
  const auto brought = run(what, stopping);
  ASSERT_TRUE(std::holds_alternative<Stopped>(brought));
  EXPECT_EQ(std::get<Stopped>(brought).trial, what.trial);
  EXPECT_EQ(std::get<Stopped>(brought).lease, 2);
  EXPECT_EQ(CheckpointFolder(what.folder, what.trial).newest({2})->step, 3);
  EXPECT_EQ(saved, std::vector<std::int64_t>{203});

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

// A better bench after every epoch.
Moves always_moving() {
  Moves moves;
  moves.has_better = [](const Bench&) { return true; };
  moves.take_better = [](Bench&) { return std::make_unique<Bench>(torch::kCPU); };
  moves.least_seconds_left = 0;
  return moves;
}

// Another trial trains on its bench as soon as that is free, and overwrites its network.
TEST_F(RunTrial, IsScoredAndStoppedAsEverWhileItsBenchHasTheNextTrial) {
  const Start what = start(short_trial(), 1);
  const double undisturbed = outcome(what).evaluations[0].auroc;
  Trial other = short_trial();
  other.seed = 77;
  std::unique_ptr<Bench> taken;
  RunOptions options;
  options.on_scoring = [&](std::unique_ptr<Bench>& bench) {
    taken = std::move(bench);
    Pulse pulse;
    run_trial(start(other, 9), images_, taken, pulse, {});
  };
  EXPECT_EQ(outcome(start(short_trial(), 2), options).evaluations[0].auroc, undisturbed);
  EXPECT_EQ(bench_, nullptr);

  bench_ = std::move(taken);
  RunOptions stopping = options;
  stopping.stop_wanted = [&] { return taken != nullptr; };
  ASSERT_TRUE(std::holds_alternative<Stopped>(run(start(short_trial(), 3), stopping)));
  bench_ = std::move(taken);
  int epochs = 0;
  RunOptions again;
  again.on_progress = [&](const Progress&) { ++epochs; };
  EXPECT_EQ(outcome(start(short_trial(), 3), again).evaluations[0].auroc, undisturbed);
  EXPECT_EQ(epochs, 0) << "the training was saved whole";
}

TEST_F(RunTrial, ThatMovesBringsTheSameAsUndisturbed) {
  std::vector<Progress> still, moved;
  RunOptions options;
  options.on_progress = [&](const Progress& progress) { still.push_back(progress); };
  const Outcome undisturbed = outcome(start(short_trial(), 1), options);
  const Bench* const first = bench_.get();
  std::vector<std::unique_ptr<Bench>> left;
  options.on_progress = [&](const Progress& progress) { moved.push_back(progress); };
  options.moves = always_moving();
  options.moves.give_back = [&](std::unique_ptr<Bench> bench) { left.push_back(std::move(bench)); };
  const Start what = start(short_trial(), 2);
  const Outcome found = outcome(what, options);
  ASSERT_EQ(left.size(), 1u) << "two epochs have one end between them";
  EXPECT_EQ(left[0].get(), first);
  EXPECT_TRUE(bench_->is_warm(short_trial()));
  EXPECT_FALSE(fs::exists(what.folder)) << "nothing is saved";
  EXPECT_EQ(found.steps, undisturbed.steps);
  EXPECT_EQ(found.evaluations[0].auroc, undisturbed.evaluations[0].auroc);
  ASSERT_EQ(moved.size(), still.size());
  for (std::size_t i = 0; i < moved.size(); ++i) {
    EXPECT_EQ(moved[i].loss, still[i].loss);
    EXPECT_EQ(moved[i].accuracy, still[i].accuracy);
  }
}

TEST_F(RunTrial, ThatMovedIsStoppedAndContinuedAsUndisturbed) {
  const Outcome undisturbed = outcome(start(short_trial(), 1));
  RunOptions stopping;
  stopping.moves = always_moving();
  stopping.stop_wanted = [&] { return pulse_.count == 3; };
  const Start what = start(short_trial(), 2);
  ASSERT_TRUE(std::holds_alternative<Stopped>(run(what, stopping)));
  EXPECT_EQ(CheckpointFolder(what.folder, what.trial).newest({2})->step, 3);
  Start next = start(short_trial(), 3);
  next.resumable = {2};
  EXPECT_EQ(outcome(next).evaluations[0].auroc, undisturbed.evaluations[0].auroc);
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

TEST_F(RunTrial, GoesOnWithoutTheCheckpointsAndFeaturesThatTheDiskDoesNotTake) {
  std::ofstream(folder_.path() / "file") << "in the way";
  Start what = start(short_trial());
  what.folder = (folder_.path() / "file" / "work").string();
  what.keep = {(folder_.path() / "file" / "kept").string(), true, false, true, false};
  std::vector<std::string> problems;
  RunOptions options;
  options.checkpoint_every = 0;
  options.on_problem = [&](const std::string& problem) { problems.push_back(problem); };
  const Outcome found = outcome(what, options);
  EXPECT_EQ(found.status, OutcomeStatus::completed);
  EXPECT_EQ(found.evaluations[0].auroc, outcome(start(short_trial(), 6)).evaluations[0].auroc);
  ASSERT_EQ(problems.size(), 5u);  // three checkpoints, features, scores
  EXPECT_NE(problems.front().find(what.folder), std::string::npos) << problems.front();
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

TEST_F(RunTrial, KeepsTheFeaturesThatItScores) {
  Start what = start(short_trial());
  what.keep = {(folder_.path() / "kept").string(), true, true, true, false};
  const Outcome found = outcome(what);
  const fs::path kept = what.keep.folder;
  EXPECT_EQ(read_npy(kept / "train.pool.npy").sizes(), (std::vector<std::int64_t>{16, 16}));
  EXPECT_EQ(read_npy(kept / "test.pool.npy").sizes(), (std::vector<std::int64_t>{200, 16}));
  EXPECT_EQ(read_npy(kept / "test.is_outlier.npy").numel(), 200);
  EXPECT_TRUE(fs::exists(kept / "weights.npy"));
  EXPECT_TRUE(fs::exists(kept / "scores.csv"));
  EXPECT_FALSE(fs::exists(kept / "validation.rows.npy"));
  double bytes = 0;
  for (const auto& [name, file] : read_kept(kept, what.evaluations, torch::kCPU).manifest.files)
    if (name.find("weights") == std::string::npos && name.find("statistics") == std::string::npos)
      bytes += static_cast<double>(file.bytes);
  constexpr double kHeaders = 8 * 128;
  EXPECT_NEAR(bytes, kept_bytes(what.config, what.evaluations), kHeaders);
  const KeptFeatures again = read_kept(kept, what.evaluations, torch::kCPU);
  EXPECT_EQ(again.manifest.trial, what.trial);
  EXPECT_EQ(again.manifest.steps, 4);
  EXPECT_EQ(again.manifest.test.of, 1024);
  EXPECT_EQ(evaluate(again.features, what.evaluations, [](std::int64_t) {})[0].evaluation.auroc,
            found.evaluations[0].auroc);
}

TEST_F(RunTrial, ScoresKeptFeaturesWithoutTraining) {
  Start what = start(short_trial());
  what.evaluations.push_back({Features::pixels, Classifier::nearest, {.test_limit = 100}});
  what.keep = {(folder_.path() / "kept").string(), true, false, false, false};
  RunOptions options;
  options.build = "trained";
  const Outcome first = outcome(what, options);
  EXPECT_EQ(first.build, "");
  what.keep.score_only = true;
  what.evaluations.push_back({Features::embed, Classifier::gde, {.test_limit = 200}});
  int epochs = 0;
  options.on_progress = [&](const Progress&) { ++epochs; };
  options.build = "scored";
  const Outcome second = outcome(what, options);
  EXPECT_EQ(second.error, "");
  EXPECT_EQ(epochs, 0);
  ASSERT_EQ(second.evaluations.size(), 3);
  EXPECT_EQ(second.evaluations[0].auroc, first.evaluations[0].auroc);
  EXPECT_EQ(second.evaluations[1].auroc, first.evaluations[1].auroc);
  EXPECT_EQ(second.steps, first.steps);
  EXPECT_EQ(second.train_seconds, first.train_seconds);
  EXPECT_EQ(second.build, "trained+scored");
}

TEST_F(RunTrial, RefusesKeptFeaturesThatAreDamagedOrOfAnotherTrial) {
  Start what = start(short_trial());
  what.keep = {(folder_.path() / "kept").string(), true, false, false, false};
  outcome(what);
  what.keep.score_only = true;
  Start other = what;
  other.trial = "0123456789abcdef";
  EXPECT_NE(outcome(other).error.find("holds features of another trial"), std::string::npos);
  const fs::path file = fs::path(what.keep.folder) / "test.pool.npy";
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(300).put('x');
  const Outcome found = outcome(what);
  EXPECT_EQ(found.status, OutcomeStatus::failed);
  EXPECT_NE(found.error.find("test.pool.npy: is damaged"), std::string::npos) << found.error;
}

TEST_F(RunTrial, WritesAScoreOfEveryImageOnRequest) {
  Trial trial = short_trial();
  trial.validation = true;
  Start what = start(canonical(trial));
  what.evaluations = applicable({{Features::pool, Classifier::kde, {.test_limit = 50}},
                                 {Features::pool, Classifier::nearest, {.k = 2}}},
                                what.config);
  what.keep = {(folder_.path() / "kept").string(), false, false, true, false};
  const Outcome found = outcome(what);
  ASSERT_EQ(found.error, "");
  EXPECT_EQ(found.evaluations.size(), 4);
  std::ifstream file(fs::path(what.keep.folder) / "scores.csv");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "split,row,is_outlier,\"pool kde {'test_limit':50}\",\"pool nearest {'k':2}\"");
  std::int64_t tests = 0, validations = 0, without = 0;
  while (std::getline(file, line)) {
    ++(line.starts_with("test,") ? tests : validations);
    if (line.find(",,") != std::string::npos) ++without;
  }
  EXPECT_EQ(tests, 1024);
  EXPECT_EQ(validations, 2 * validation_inliers(what.config, 1024));
  EXPECT_EQ(without, 1024 - 50);
  EXPECT_FALSE(fs::exists(fs::path(what.keep.folder) / "kept.json"));
}

TEST_F(RunTrial, ReadsOfKeptFeaturesOnlyWhatItScores) {
  Start what = start(short_trial());
  what.keep = {(folder_.path() / "kept").string(), true, false, false, false};
  outcome(what);
  what.keep.score_only = true;
  fs::remove(fs::path(what.keep.folder) / "train.embed.npy");
  EXPECT_EQ(outcome(what).error, "");
  fs::remove(fs::path(what.keep.folder) / "train.pool.npy");
  EXPECT_EQ(outcome(what).error,
            "trial " + what.trial + ": " + what.keep.folder + "/train.pool.npy: is missing");
}

TEST_F(RunTrial, NamesTheTrialWhoseFeaturesAreNotFinite) {
  Start what = start(short_trial());
  what.keep = {(folder_.path() / "kept").string(), true, false, false, false};
  outcome(what);
  // A NaN in a feature file whose checksum says that it was written so.
  KeptFeatures kept = read_kept(what.keep.folder, what.evaluations, torch::kCPU);
  kept.features.test.network.pool[7][3] = std::nan("");
  write_kept(what.keep.folder, {what.trial, kept.manifest.data, "", 0, 4, ""}, kept.features,
             one_class(*images_.get(Dataset::synthetic), what.config), nullptr);
  what.keep.score_only = true;
  const Outcome found = outcome(what);
  EXPECT_EQ(found.status, OutcomeStatus::failed);
  EXPECT_NE(found.error.find("trial " + what.trial + ": pool: features of test row 7 hold a NaN"),
            std::string::npos)
      << found.error;
}

TEST_F(RunTrial, SaysThatATrainingCollapsed) {
  Trial trial = short_trial();
  EXPECT_EQ(outcome(start(trial)).collapsed, "");
  // So much decay that every weight is gone, and with them all difference between images.
  trial.weight_decay = 10;
  trial.learning_rate = 0.1;
  trial.momentum = 0;
  trial.schedule = Schedule::constant;
  trial.epochs = 20;
  const Outcome found = outcome(start(canonical(trial)));
  EXPECT_EQ(found.status, OutcomeStatus::completed);
  EXPECT_NE(found.collapsed.find("spread"), std::string::npos) << found.collapsed;
  EXPECT_EQ(found.evaluations.size(), 1) << "its scores stay";
}

TEST_F(RunTrial, ReadsADataSetOnceForAllTrials) {
  EXPECT_EQ(images_.get(Dataset::synthetic), images_.get(Dataset::synthetic));
}

}  // namespace
}  // namespace occam
