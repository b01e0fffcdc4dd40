#include "orchestrator/commands/worker_lines.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace occam {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

// The word behind --device of every worker.
std::vector<std::string> devices(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::string> all;
  for (const auto& words : lines)
    all.push_back(*std::next(std::find(words.begin(), words.end(), "--device")));
  return all;
}

TEST(WorkerLines, StartOneWorkerACore) {
  EXPECT_THAT(devices(worker_lines({}, "cpu", {.cores = 3})), ElementsAre("cpu", "cpu", "cpu"));
}

TEST(WorkerLines, StartOneWorkerAGpu) {
  EXPECT_THAT(devices(worker_lines({}, "cuda", {.gpus = 2, .cores = 8})),
              ElementsAre("cuda:0", "cuda:1"));
}

TEST(WorkerLines, DealSharedGpusOutAmongTheRanksOfAMachine) {
  const auto of_rank = [](int rank) {
    return devices(worker_lines({}, "cuda", {.rank = rank, .ranks = 3, .gpus = 8, .cores = 8}));
  };
  EXPECT_THAT(of_rank(0), ElementsAre("cuda:0", "cuda:3", "cuda:6"));
  EXPECT_THAT(of_rank(1), ElementsAre("cuda:1", "cuda:4", "cuda:7"));
  EXPECT_THAT(of_rank(2), ElementsAre("cuda:2", "cuda:5"));
}

TEST(WorkerLines, LeaveARankItsOwnGpus) {
  const Room second{.rank = 1, .ranks = 2, .gpus = 2, .cores = 8, .own = true};
  EXPECT_THAT(devices(worker_lines({}, "cuda", second)), ElementsAre("cuda:0", "cuda:1"));
}

TEST(WorkerLines, TakeTheWantedNumberOfWorkersForTheWholeMachine) {
  RunOptions five;
  five.workers = 5;
  EXPECT_EQ(worker_lines(five, "cpu", {.rank = 0, .ranks = 2, .cores = 64}).size(), 3u);
  EXPECT_EQ(worker_lines(five, "cpu", {.rank = 1, .ranks = 2, .cores = 64}).size(), 2u);
  // More workers than GPUs share them.
  EXPECT_THAT(devices(worker_lines(five, "cuda", {.gpus = 2})),
              ElementsAre("cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"));
}

TEST(WorkerLines, LeaveTheSlotsOfAGpuToItsWorker) {
  EXPECT_THAT(worker_lines({}, "cuda", {.gpus = 1}).front(), Contains("0"));
  RunOptions options;
  options.slots = 3;
  EXPECT_THAT(worker_lines(options, "cuda", {.gpus = 1}).front(), Contains("3"));
}

TEST(WorkerLines, HandOnWhatTheWorkersAreAskedFor) {
  RunOptions options;
  EXPECT_THAT(worker_lines(options, "cpu", {}).front(), Not(Contains("--deterministic")));
  options.deterministic = true;
  options.data = "sets";
  EXPECT_THAT(worker_lines(options, "cuda", {.gpus = 1}).front(),
              testing::AllOf(Contains("--parts"), Contains("4")));
  options.parts = 2;
  EXPECT_THAT(worker_lines(options, "cpu", {}).front(),
              testing::AllOf(Contains("--deterministic"), Contains("--data"), Contains("sets"),
                             Contains("--parts"), Contains("2")));
}

TEST(WorkerLines, StartAnotherProgramWithoutWords) {
  RunOptions options;
  options.worker = "my-worker";
  EXPECT_THAT(worker_lines(options, "cuda", {.gpus = 2}),
              ElementsAre(ElementsAre("my-worker"), ElementsAre("my-worker")));
}

}  // namespace
}  // namespace occam
