#include "worker/train/moving.h"

#include <gtest/gtest.h>

#include <vector>

#include "experiments/error.h"
#include "tests/worker/every_loss.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

// 12 updates in 3 epochs of 4.
torch::Tensor train_images() { return byte_images(32, 1, 16); }

struct Result {
  Training training;
  std::vector<Progress> curve;
  std::vector<std::int64_t> steps_heard;
  std::vector<std::int64_t> saved;
  std::unique_ptr<Bench> bench = std::make_unique<Bench>(torch::kCPU);
};

TrainingHooks hooks_of(Result& result) {
  TrainingHooks hooks;
  hooks.on_epoch = [&](const Progress& progress) { result.curve.push_back(progress); };
  hooks.on_step = [&](std::int64_t step) { result.steps_heard.push_back(step); };
  hooks.save = [&](const TrainingState& state) { result.saved.push_back(state.step); };
  hooks.save_every = std::chrono::hours(1);
  return hooks;
}

Result run(const Trial& trial, const Moves& moves) {
  Result result;
  result.training = train_moving(trial, train_images(), result.bench, {}, hooks_of(result), moves);
  return result;
}

// A better bench after every epoch.
Moves always_moving(std::vector<std::unique_ptr<Bench>>& left) {
  Moves moves;
  moves.has_better = [](const Bench&) { return true; };
  moves.take_better = [](Bench& present) {
    present.drop_step();  // as where there is no room for it
    return std::make_unique<Bench>(torch::kCPU);
  };
  moves.give_back = [&](std::unique_ptr<Bench> bench) { left.push_back(std::move(bench)); };
  moves.least_seconds_left = 0;
  return moves;
}

void expect_same(const Result& a, const Result& b) {
  EXPECT_TRUE(same_bits(a.training.network->flat(), b.training.network->flat()));
  EXPECT_TRUE(same_bits(a.training.network->statistics(), b.training.network->statistics()));
  EXPECT_EQ(a.training.steps, b.training.steps);
  EXPECT_EQ(a.training.tail_loss_sum, b.training.tail_loss_sum);
  EXPECT_EQ(a.training.tail_accuracy_sum, b.training.tail_accuracy_sum);
  EXPECT_EQ(a.steps_heard, b.steps_heard);
  ASSERT_EQ(a.curve.size(), b.curve.size());
  for (std::size_t i = 0; i < a.curve.size(); ++i) {
    EXPECT_EQ(a.curve[i].loss, b.curve[i].loss);
    EXPECT_EQ(a.curve[i].accuracy, b.curve[i].accuracy);
    EXPECT_EQ(a.curve[i].learning_rate, b.curve[i].learning_rate);
  }
}

class MovingWithEveryLoss : public testing::TestWithParam<Loss> {};
INSTANTIATE_TEST_SUITE_P(Moving, MovingWithEveryLoss, testing::ValuesIn(every_loss()), loss_name);

TEST_P(MovingWithEveryLoss, ChangesNoBit) {
  Trial trial = narrow_trial(GetParam());
  trial.epochs = 20;  // the last two are its tail
  trial = canonical(trial);
  const Result undisturbed = run(trial, {});
  std::vector<std::unique_ptr<Bench>> left;
  const Result moved = run(trial, always_moving(left));
  EXPECT_EQ(left.size(), 19u);
  EXPECT_TRUE(moved.saved.empty());
  expect_same(moved, undisturbed);

  int asked = 0;
  Moves once = always_moving(left);
  once.has_better = [&](const Bench&) { return ++asked == 2; };
  left.clear();
  expect_same(run(trial, once), undisturbed);
  EXPECT_EQ(left.size(), 1u);
  EXPECT_EQ(asked, 19);
}

TEST(Moving, LeavesTheBenchThatItEndsOn) {
  std::vector<std::unique_ptr<Bench>> left;
  std::vector<const Bench*> asked;
  Moves moves = always_moving(left);
  moves.has_better = [&](const Bench& present) {
    asked.push_back(&present);
    return true;
  };
  const Trial trial = narrow_trial(Loss::rotation);
  const Result moved = run(trial, moves);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(asked, (std::vector<const Bench*>{left[0].get(), left[1].get()}));
  EXPECT_EQ(moved.bench->step(trial, train_images()).network(), moved.training.network);
}

TEST(Moving, StaysWhereTooLittleIsLeft) {
  std::vector<std::unique_ptr<Bench>> left;
  Moves moves = always_moving(left);
  moves.has_better = [](const Bench&) -> bool { throw Error("asked"); };
  moves.least_seconds_left = Moves{}.least_seconds_left;
  EXPECT_EQ(moves.least_seconds_left, 10);
  EXPECT_EQ(run(narrow_trial(Loss::rotation), moves).training.steps, 12);
}

TEST(Moving, GoesOnWhereAnotherWasFirst) {
  const Trial trial = narrow_trial(Loss::rotation);
  std::vector<std::unique_ptr<Bench>> left;
  Moves moves = always_moving(left);
  int tried = 0;
  moves.take_better = [&](Bench&) {
    ++tried;
    return std::unique_ptr<Bench>();
  };
  expect_same(run(trial, moves), run(trial, {}));
  EXPECT_EQ(tried, 2) << "and tries again";
  EXPECT_TRUE(left.empty());
}

TEST(Moving, ThatFailsGoesOnWhereItWasAndIsNotTriedAgain) {
  const Trial trial = narrow_trial(Loss::rotation);
  const Result undisturbed = run(trial, {});
  std::vector<std::unique_ptr<Bench>> left;
  std::vector<std::string> problems;
  Moves moves = always_moving(left);
  moves.on_problem = [&](const std::string& problem) { problems.push_back(problem); };
  int tried = 0;
  moves.take_better = [&](Bench& present) -> std::unique_ptr<Bench> {
    ++tried;
    present.drop_step();
    throw Error("no stream can be made");
  };
  expect_same(run(trial, moves), undisturbed);
  EXPECT_EQ(problems, std::vector<std::string>{"no stream can be made"});
  EXPECT_TRUE(left.empty());

  // A bench of a device that this Torch has no tensors for.
  moves.take_better = [&](Bench&) {
    ++tried;
    return std::make_unique<Bench>(torch::kVE);
  };
  const Result stayed = run(trial, moves);
  expect_same(stayed, undisturbed);
  EXPECT_EQ(tried, 2);
  EXPECT_EQ(problems.size(), 2u);
  ASSERT_EQ(left.size(), 1u) << "the better bench is given back";
  EXPECT_TRUE(left[0]->device().type() == torch::kVE);
  EXPECT_TRUE(stayed.bench->device().is_cpu());
}

TEST(Moving, DoesNotPutOffCheckpoints) {
  std::vector<std::unique_ptr<Bench>> left;
  const auto begin = std::chrono::steady_clock::now() - std::chrono::minutes(30);
  Result result;
  TrainingHooks hooks = hooks_of(result);
  hooks.last_save = begin;
  const Training training = train_moving(narrow_trial(Loss::rotation), train_images(), result.bench,
                                         {}, hooks, always_moving(left));
  EXPECT_EQ(left.size(), 2u);
  EXPECT_TRUE(result.saved.empty()) << "half an hour early";
  EXPECT_EQ(training.last_save, begin);
}

TEST(Moving, IsStoppedAsUndisturbed) {
  std::vector<std::unique_ptr<Bench>> left;
  Result result;
  TrainingHooks hooks = hooks_of(result);
  hooks.stop_wanted = [&] { return result.steps_heard.back() == 8; };
  const Training training = train_moving(narrow_trial(Loss::rotation), train_images(), result.bench,
                                         {}, hooks, always_moving(left));
  EXPECT_TRUE(training.stopped);
  EXPECT_FALSE(training.moves_from);
  EXPECT_EQ(result.saved, std::vector<std::int64_t>{8});
  EXPECT_EQ(left.size(), 1u) << "where it stops it does not move";
}

}  // namespace
}  // namespace occam
