// Whole attempts of a gang's members, as a worker runs them.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "tests/worker/sample.h"
#include "worker/run_trial.h"

namespace occam {
namespace {

using Brought = std::variant<Outcome, Stopped, Left>;

Trial short_trial(Loss loss = Loss::rotation) {
  Trial trial = narrow_trial(loss);
  trial.width = 0.125;
  trial.head_layers = 1;
  trial.learning_rate = 1e-6;
  trial.batch_size = 8;
  trial.train_limit = 32;
  trial.epochs = 8;
  return canonical(trial);
}

class GangTrial : public testing::Test {
 protected:
  Start start(std::int64_t lease) const {
    Start made;
    made.trial = id_of(trial_);
    made.config = trial_;
    made.evaluations = {{Features::pool, Classifier::kde, {.test_limit = 200}}};
    made.lease = lease;
    made.resumable = {1, 2, 3, 4};
    made.folder = (folder_.path() / made.trial).string();
    return made;
  }

  // What each member brings. `change` sees a member's options before it begins.
  std::vector<Brought> members(
      std::int64_t size, std::int64_t lease,
      const std::function<void(std::int64_t rank, const Pulse&, RunOptions&)>& change = {}) {
    std::promise<std::string> made;
    const std::shared_future<std::string> ticket = made.get_future().share();
    std::vector<Brought> brought(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (std::int64_t rank = 0; rank < size; ++rank)
      threads.emplace_back([&, rank] {
        at::set_num_threads(1);
        auto bench = std::make_unique<Bench>(torch::kCPU);
        Pulse pulse;
        RunOptions options;
        options.group =
            make_store_group({rank, size, rank == 0 ? "" : ticket.get()}, std::chrono::seconds(60));
        options.on_ticket = [&](const std::string& text) { made.set_value(text); };
        if (change) change(rank, pulse, options);
        brought[static_cast<std::size_t>(rank)] =
            run_trial(start(lease), images_, bench, pulse, options);
      });
    for (std::thread& thread : threads) thread.join();
    return brought;
  }
  Outcome alone(std::int64_t lease) {
    auto bench = std::make_unique<Bench>(torch::kCPU);
    Pulse pulse;
    Start what = start(lease);
    what.resumable = {};
    return std::get<Outcome>(run_trial(what, images_, bench, pulse, {}));
  }

  TemporaryFolder folder_;
  ImageCache images_{folder_.path()};
  Trial trial_ = short_trial();
};

class GangTrialOfLoss : public GangTrial, public testing::WithParamInterface<Loss> {};
INSTANTIATE_TEST_SUITE_P(Gang, GangTrialOfLoss,
                         testing::Values(Loss::rotation, Loss::contrastive,
                                         Loss::contrastive_symmetric));

TEST_P(GangTrialOfLoss, BringsTheScoresOfOneDeviceFromRankZero) {
  trial_ = short_trial(GetParam());
  const Outcome expected = alone(9);
  for (const std::int64_t size : {1, 2, 4}) {
    std::atomic<int> rows{0};
    const std::vector<Brought> brought =
        members(size, 10 + size, [&](std::int64_t, const Pulse&, RunOptions& options) {
          options.on_progress = [&](const Progress&) { ++rows; };
        });
    const auto* found = std::get_if<Outcome>(&brought[0]);
    ASSERT_TRUE(found) << size;
    EXPECT_EQ(found->error, "");
    EXPECT_EQ(found->steps, expected.steps);
    ASSERT_EQ(found->evaluations.size(), 1);
    EXPECT_NEAR(found->evaluations[0].auroc, expected.evaluations[0].auroc, 1e-3) << size;
    EXPECT_EQ(rows, 8) << "one row of the curve an epoch, of rank 0 alone";
    for (std::int64_t rank = 1; rank < size; ++rank) {
      ASSERT_TRUE(std::holds_alternative<Left>(brought[rank])) << rank;
      EXPECT_EQ(std::get<Left>(brought[rank]).reason, "");
    }
  }
}

TEST_F(GangTrial, StopsAsAWholeAndGoesOnFromRankZerosCheckpoint) {
  const Outcome undisturbed = std::get<Outcome>(members(2, 11)[0]);
  const std::vector<Brought> stopped =
      members(2, 1, [](std::int64_t rank, const Pulse& pulse, RunOptions& options) {
        options.stop_wanted = [rank, &pulse] { return rank == 1 && pulse.count > 3; };
      });
  EXPECT_TRUE(std::holds_alternative<Stopped>(stopped[0]));
  ASSERT_TRUE(std::holds_alternative<Left>(stopped[1]));
  EXPECT_EQ(std::get<Left>(stopped[1]).reason, "");
  const Outcome found = std::get<Outcome>(members(2, 2)[0]);
  EXPECT_EQ(found.steps, undisturbed.steps);
  EXPECT_EQ(found.evaluations[0].auroc, undisturbed.evaluations[0].auroc);
}

TEST_F(GangTrial, EndsForAllWhenOneIsSentAway) {
  const std::vector<Brought> brought =
      members(2, 3, [](std::int64_t rank, const Pulse&, RunOptions& options) {
        if (rank == 1)
          options.stop_wanted = [group = options.group] {
            group->abort("rank 1 was asked to leave");
            return false;
          };
      });
  for (const Brought& one : brought) {
    ASSERT_TRUE(std::holds_alternative<Left>(one));
    EXPECT_EQ(std::get<Left>(one).reason, "the gang broke: rank 1 was asked to leave");
  }
  EXPECT_EQ(alone(12).error, "") << "the worker is of use";
}

TEST_F(GangTrial, EndsWithTheReasonForAllWhenOneFails) {
  const std::vector<Brought> brought =
      members(2, 4, [](std::int64_t rank, const Pulse&, RunOptions& options) {
        if (rank == 1) options.stop_wanted = []() -> bool { throw Error("out of luck"); };
      });
  ASSERT_TRUE(std::holds_alternative<Left>(brought[1]));
  EXPECT_EQ(std::get<Left>(brought[1]).reason, "out of luck");
  ASSERT_TRUE(std::holds_alternative<Left>(brought[0]));
  EXPECT_EQ(std::get<Left>(brought[0]).reason, "the gang broke: rank 1: out of luck");
}

}  // namespace
}  // namespace occam
