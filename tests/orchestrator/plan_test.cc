#include "orchestrator/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "experiments/disk.h"
#include "tests/message_of.h"

namespace occam {
namespace {

std::vector<Task> tasks(const std::vector<double>& work, std::int64_t images_per_step = 1) {
  std::vector<Task> all;
  for (double each : work) all.push_back({"trial", 0, each, images_per_step, 0});
  return all;
}

// Of workers whose trials do not slow each other.
Simulation simulate(const std::vector<Task>& all, int workers, int slots, double seconds_per_work,
                    const Failures& failures = {}) {
  std::vector<Pace> paces;
  for (const Task& task : all) paces.push_back({task.work * seconds_per_work, 0});
  return occam::simulate(all, paces, workers, slots, failures);
}

TEST(Simulate, TakesTheSumOfAllWorkOnOneWorker) {
  const Simulation result = simulate(tasks({1, 2, 3, 4}), 1, 1, 0.5);
  EXPECT_EQ(result.wall_seconds, 5);
  EXPECT_EQ(result.worker_seconds, 5);
}

TEST(Simulate, PacksTheLongestFirstOnSeveralWorkers) {
  // 5 | 4 | 3+1 | 2+2: by hand.
  const Simulation result = simulate(tasks({1, 2, 3, 4, 5, 2}), 4, 1, 1);
  EXPECT_EQ(result.wall_seconds, 5);
  EXPECT_EQ(result.worker_seconds, 17);
}

TEST(Simulate, TakesAsLongAsTheLongestTrialWhenThereAreWorkersEnough) {
  EXPECT_EQ(simulate(tasks({7, 1, 2}), 1024, 1, 2).wall_seconds, 14);
}

TEST(Simulate, RunsTrialsOfOneWorkerBesideEachOtherInItsSlots) {
  EXPECT_EQ(simulate(tasks({1, 1, 1, 1}), 1, 4, 1).wall_seconds, 1);
  EXPECT_EQ(simulate(tasks({1, 1, 1, 1}, 4096), 1, 4, 1).wall_seconds, 4);
}

TEST(Simulate, CountsAWorkerAsBusyByTheShareThatIsTaken) {
  EXPECT_EQ(simulate(tasks({1, 1, 1, 1}), 1, 4, 1).worker_seconds, 1);
  EXPECT_EQ(simulate(tasks({1, 1, 1, 1}, 4096), 1, 4, 1).worker_seconds, 4);
}

// A trial alone takes 10 s, and 6 more for each beside it: two together 16.
TEST(Simulate, SlowsTrialsThatShareAWorkerUntilTheyHaveItToThemselves) {
  const std::vector<Task> all = tasks({1, 1, 1});
  const std::vector<Pace> paces(3, {10, 6});
  EXPECT_EQ(occam::simulate(all, paces, 1, 1).wall_seconds, 30);
  EXPECT_NEAR(occam::simulate(all, paces, 1, 3).wall_seconds, 22, 1e-9);
  // Two, then the third alone.
  EXPECT_NEAR(occam::simulate(all, paces, 1, 2).wall_seconds, 26, 1e-9);
  // Of 10 s and 20 s: both until the first has had 16, in which the second does 20 * 16 / 26 of its
  // seconds, and those that are left alone.
  EXPECT_NEAR(occam::simulate(tasks({1, 2}), {{10, 6}, {20, 6}}, 1, 2).wall_seconds,
              16 + 20 - 20 * 16 / 26.0, 1e-9);
}

TEST(Simulate, FindsASharedWorkersTrialsWhereAFailureLeftThem) {
  const Failures failures{.every = 40, .checkpoint_every = 5, .restart = 1};
  const Simulation result =
      occam::simulate(tasks({1, 1, 1, 1}), std::vector<Pace>(4, {100, 60}), 1, 4, failures);
  ASSERT_GT(result.failures, 3);
  const auto count = static_cast<double>(result.failures);
  // Together they take 280 s, and one after the other, as those are tried that were on a worker
  // when it failed, 400; a failure undoes 5 s of what runs, and costs a restart.
  EXPECT_GE(result.wall_seconds, 280 + count);
  EXPECT_LE(result.wall_seconds, 400 + count * (5 + 1) + 1e-6);
}

TEST(Simulate, RefusesFailuresThatLetNoTrialComeToItsEnd) {
  for (const double every : {1e-9, 1.0})
    EXPECT_THAT(message_of([&] {
                  simulate(tasks({100, 100}), 2, 1, 1, {.every = every, .restart = 1});
                }),
                testing::HasSubstr("2 of 2 trials are left"));
}

TEST(Simulate, GivesAGangItsWorkersAndItsSpeed) {
  std::vector<Task> all = tasks({8, 8});
  for (Task& one : all) one.gpus = 2, one.speedup = 1.6F;
  const Simulation together = simulate(all, 4, 8, 1);
  EXPECT_NEAR(together.wall_seconds, 5, 1e-5);
  EXPECT_NEAR(together.worker_seconds, 20, 1e-5);
  EXPECT_NEAR(simulate(all, 2, 8, 1).wall_seconds, 10, 1e-5);
}

TEST(Simulate, EndsAGangWithItsWorker) {
  std::vector<Task> all = tasks({1000});
  all[0].gpus = 4;
  all[0].speedup = 2;
  const Simulation result =
      simulate(all, 4, 1, 1, {.every = 50, .checkpoint_every = 10, .restart = 5});
  ASSERT_GT(result.failures, 0);
  EXPECT_NEAR(result.worker_seconds, 4 * 500, 1e-3);
  EXPECT_NEAR(result.wall_seconds,
              500 + result.lost_seconds / 4 + static_cast<double>(result.failures) * 5, 1e-3);
}

TEST(Simulate, TakesNoTimeForNothing) {
  EXPECT_EQ(simulate({}, 8, 1, 1).wall_seconds, 0);
  EXPECT_EQ(simulate(tasks({3}), 0, 1, 1).wall_seconds, 0);
}

TEST(Simulate, LosesWhatAFailureUndoesAndGoesOnFromTheCheckpoint) {
  // One worker, one trial of 1,000 s, a checkpoint every 10: whatever fails undoes less than 10 s
  // and costs a restart.
  const Failures failures{.every = 100, .checkpoint_every = 10, .restart = 5};
  const Simulation result = simulate(tasks({1000}), 1, 1, 1, failures);
  ASSERT_GT(result.failures, 0);
  const auto count = static_cast<double>(result.failures);
  EXPECT_NEAR(result.worker_seconds, 1000, 1e-6);
  EXPECT_LE(result.lost_seconds, count * 10);
  EXPECT_NEAR(result.wall_seconds, 1000 + result.lost_seconds + count * 5, 1e-6);
}

// A heavy tail of lengths from minutes to a day, on a machine that loses a worker every ten
// minutes.
TEST(Simulate, KeepsAThousandFailingWorkersBusy) {
  std::mt19937_64 random(7);
  std::vector<double> work;
  double all = 0;
  for (int i = 0; i < 20'000; ++i) {
    double normal = -6;  // Irwin and Hall's
    for (int k = 0; k < 12; ++k) normal += static_cast<double>(random() >> 11) * 0x1p-53;
    work.push_back(std::exp(7.5 + 0.8 * normal));
    all += work.back();
  }
  const Simulation result = simulate(tasks(work), 1024, 1, 1, {.every = 600});
  EXPECT_GT(result.failures, 50);
  EXPECT_NEAR(result.worker_seconds, all, 1e-3 * all);
  EXPECT_GE(all / (1024 * result.wall_seconds), 0.95);
}

TEST(Simulate, KeepsAThousandWorkersBusy) {
  std::vector<double> work(10'240);
  for (std::size_t i = 0; i < work.size(); ++i) work[i] = 1 + static_cast<double>(i % 7);
  double sum = 0;
  for (double each : work) sum += each;
  const Simulation result = simulate(tasks(work), 1024, 1, 1);
  EXPECT_EQ(result.worker_seconds, sum);
  EXPECT_GE(result.wall_seconds, sum / 1024);
  EXPECT_LE(result.wall_seconds, sum / 1024 + 7);
}

// What each trial has trained so far is known at every end, so the share is of work and not of
// trials. A first seed ends at most one trial's length behind the others that began before it.
TEST(Simulate, HasEveryCellsFirstSeedWhenItsShareOfTheWorkIsDone) {
  std::mt19937_64 random(1);
  std::vector<Task> all;
  for (std::int64_t cell = 0; cell < 400; ++cell) {
    double normal = -6;  // Irwin and Hall's
    for (int i = 0; i < 12; ++i) normal += static_cast<double>(random() >> 11) * 0x1p-53;
    for (std::int64_t seed = 0; seed < 5; ++seed)
      all.push_back({"trial", seed, std::exp(7 + 0.8 * normal), 64, 0});
  }
  std::shuffle(all.begin(), all.end(), random);
  for (const int workers : {1, 8, 64}) {
    const Simulation result = simulate(all, workers, 1, 1);
    EXPECT_LE(result.first_seeds_worker_seconds, (0.2 + 0.05) * result.worker_seconds)
        << workers << " workers";
    EXPECT_LE(result.first_seeds_seconds, (0.2 + 0.05) * result.wall_seconds);
  }
  // Also where workers fail all the time.
  const Simulation failing =
      simulate(all, 64, 1, 1, {.every = 100, .checkpoint_every = 300, .restart = 30});
  EXPECT_GT(failing.failures, 100);
  EXPECT_LE(failing.first_seeds_worker_seconds, (0.2 + 0.05) * failing.worker_seconds);
}

TEST(DiskNeed, IsAllFeaturesAndTheCheckpointsOfTheLargestThatRunAtOnce) {
  Trial small, large;
  small.width = 0.125;
  MissingWork work;
  for (const Trial& trial : {small, large, small, large, large}) {
    Start start;
    start.config = trial;
    start.evaluations = default_evaluations();
    start.keep.features = true;
    work.starts.push_back(start);
  }
  work.starts.back().keep.score_only = true;  // has features, and is not trained
  const DiskNeed need = disk_need(work, 3);
  EXPECT_EQ(need.checkpoints,
            2 * (2 * checkpoint_bytes(large) + checkpoint_bytes(small)) + checkpoint_bytes(small));
  EXPECT_EQ(disk_need(work, 1).checkpoints, 3 * checkpoint_bytes(large));
  EXPECT_EQ(need.features, 2 * kept_bytes(large, default_evaluations()) +
                               2 * kept_bytes(small, default_evaluations()));
  EXPECT_EQ(disk_need(work, 100).checkpoints,
            2 * (2 * checkpoint_bytes(large) + 2 * checkpoint_bytes(small)));
}

}  // namespace
}  // namespace occam
