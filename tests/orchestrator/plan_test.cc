#include "orchestrator/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace occam {
namespace {

std::vector<Task> tasks(const std::vector<double>& work, std::int64_t images_per_step = 1) {
  std::vector<Task> all;
  for (double each : work) all.push_back({"trial", 0, each, images_per_step, 0});
  return all;
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

TEST(Simulate, TakesNoTimeForNothing) {
  EXPECT_EQ(simulate({}, 8, 1, 1).wall_seconds, 0);
  EXPECT_EQ(simulate(tasks({3}), 0, 1, 1).wall_seconds, 0);
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

}  // namespace
}  // namespace occam
