#include "orchestrator/coordinator.h"

#include <gtest/gtest.h>

#include <random>

namespace occam {
namespace {

constexpr std::int64_t kWholeWorker = 4096;  // images a step

Task task(std::int64_t seed_rank = 0, double work = 1, std::int64_t images_per_step = 1,
          std::int64_t failed_attempts = 0) {
  return {"trial", seed_rank, work, images_per_step, failed_attempts};
}
WorkerId worker(std::int64_t number) { return {0, number}; }

template <class Wanted>
std::vector<Wanted> only(const std::vector<Command>& commands) {
  std::vector<Wanted> some;
  for (const Command& command : commands)
    if (const auto* one = std::get_if<Wanted>(&command)) some.push_back(*one);
  return some;
}
std::vector<StartTrial> starts(const std::vector<Command>& commands) {
  return only<StartTrial>(commands);
}
std::vector<std::size_t> started(const std::vector<Command>& commands) {
  std::vector<std::size_t> tasks;
  for (const StartTrial& one : starts(commands)) tasks.push_back(one.task);
  return tasks;
}

using Tasks = std::vector<std::size_t>;

TEST(Coordinator, StartsNothingBeforeAWorkerJoins) {
  Coordinator coordinator({task()}, {});
  EXPECT_EQ(coordinator.pending(), 1U);
  EXPECT_EQ(coordinator.running(), 0U);
  EXPECT_FALSE(coordinator.finished());
}

TEST(Coordinator, IsFinishedFromTheStartWithoutTasks) {
  EXPECT_TRUE(Coordinator({}, {}).finished());
}

TEST(Coordinator, StartsEveryCellsFirstSeedBeforeAnySecondAndTheLongestFirst) {
  Coordinator coordinator({task(1, 9), task(0, 1), task(0, 3), task(1, 10), task(0, 3)}, {});
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 5)), (Tasks{2, 4, 1, 3, 0}));
}

TEST(Coordinator, StartsTheLongestFirstOfAllSeedsWhenAsked) {
  Coordinator coordinator({task(1, 9), task(0, 1), task(0, 3)}, {.order = Order::longest});
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 3)), (Tasks{0, 2, 1}));
}

TEST(Coordinator, FillsAWorkersSlotsAndRefillsThemAsTheyComeFree) {
  Coordinator coordinator({task(), task(), task()}, {});
  const auto first = starts(coordinator.on_joined(worker(0), 2));
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(started(coordinator.on_outcome(first[0].lease, OutcomeStatus::completed)), (Tasks{2}));
  EXPECT_EQ(coordinator.running(), 2U);
}

TEST(Coordinator, GivesATrialTheShareOfAWorkerThatItsStepFills) {
  const auto together = [](std::int64_t images_per_step) {
    Coordinator coordinator(std::vector<Task>(8, task(0, 1, images_per_step)), {});
    return starts(coordinator.on_joined(worker(0), 8)).size();
  };
  EXPECT_EQ(together(64), 8U);
  EXPECT_EQ(together(512), 8U);
  EXPECT_EQ(together(513), 4U);
  EXPECT_EQ(together(2048), 2U);
  EXPECT_EQ(together(kWholeWorker), 1U);
  EXPECT_EQ(together(100 * kWholeWorker), 1U);
}

TEST(Coordinator, LetsTheFirstInLineWaitForItsSlotsWithoutBeingOvertaken) {
  Coordinator coordinator({task(0, 3), task(0, 2, kWholeWorker), task(0, 1)}, {});
  const auto first = starts(coordinator.on_joined(worker(0), 4));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(started(coordinator.on_outcome(first[0].lease, OutcomeStatus::completed)), (Tasks{1}));
}

TEST(Coordinator, CountsOnlyWholeLeasesFromTheFirstOne) {
  Coordinator coordinator({task(), task()}, {.first_lease = 41});
  const auto first = starts(coordinator.on_joined(worker(0), 1));
  EXPECT_EQ(first.at(0).lease, 41);
  EXPECT_EQ(starts(coordinator.on_joined(worker(1), 1)).at(0).lease, 42);
}

TEST(Coordinator, KnowsWhichAttemptRunsWhere) {
  Coordinator coordinator({task()}, {.first_lease = 7});
  coordinator.on_joined(worker(0), 1);
  EXPECT_TRUE(coordinator.is_running(worker(0), 7));
  EXPECT_FALSE(coordinator.is_running(worker(1), 7));
  EXPECT_FALSE(coordinator.is_running(worker(0), 8));
  EXPECT_EQ(coordinator.task_of(7), 0U);
}

TEST(Coordinator, NoLongerKnowsTheLeaseOfAnAttemptThatEnded) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_lost(worker(0), "gone");
  EXPECT_FALSE(coordinator.is_running(worker(0), 1));
  coordinator.on_joined(worker(0), 1);
  EXPECT_FALSE(coordinator.is_running(worker(0), 1));
  EXPECT_TRUE(coordinator.is_running(worker(0), 2));
}

TEST(Coordinator, GivesAFailedTrialToAFreeWorkerUntilItsAttemptsAreSpent) {
  Coordinator coordinator({task()}, {.max_attempts = 2});
  coordinator.on_joined(worker(0), 1);
  EXPECT_EQ(started(coordinator.on_outcome(1, OutcomeStatus::failed)), (Tasks{0}));
  EXPECT_TRUE(coordinator.on_outcome(2, OutcomeStatus::failed).empty());
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, NeverRetriesATrialThatDiverged) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::diverged).empty());
  EXPECT_EQ(coordinator.failed(), 0U);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, CountsTheAttemptsOfEarlierRuns) {
  Coordinator coordinator({task(0, 1, 1, 2), task(0, 1, 1, 3)}, {.max_attempts = 3});
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_EQ(coordinator.pending(), 1U);
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 4)), (Tasks{0}));
  coordinator.on_outcome(1, OutcomeStatus::failed);
  EXPECT_EQ(coordinator.failed(), 2U);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, BlamesTheTrialThatWasAloneInAWorkerThatDied) {
  Coordinator coordinator({task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  const auto commands = coordinator.on_lost(worker(0), "was killed by signal 11");
  const auto ends = only<EndAttempt>(commands);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].lease, 1);
  EXPECT_EQ(ends[0].state, AttemptState::failed);
  EXPECT_EQ(ends[0].error, "was killed by signal 11");
  EXPECT_EQ(coordinator.failed(), 1U);
}

TEST(Coordinator, RetriesTheTrialsOfADeadWorkerOneByOneWithoutCountingAgainstThem) {
  Coordinator coordinator({task(), task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 2);
  const auto ends = only<EndAttempt>(coordinator.on_lost(worker(0), "gone"));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].state, AttemptState::lost);
  EXPECT_EQ(ends[1].state, AttemptState::lost);
  EXPECT_EQ(coordinator.failed(), 0U);
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{0}));
  // The first was innocent; the second dies alone and is the culprit.
  EXPECT_EQ(started(coordinator.on_outcome(3, OutcomeStatus::completed)), (Tasks{1}));
  EXPECT_EQ(only<EndAttempt>(coordinator.on_lost(worker(0), "gone")).at(0).state,
            AttemptState::failed);
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, LetsASuspectThatFailedByItselfRunAmongOthersAgain) {
  Coordinator coordinator({task(0, 3), task(0, 2), task(0, 1)}, {});
  coordinator.on_joined(worker(0), 2);
  coordinator.on_lost(worker(0), "gone");
  ASSERT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{0}));
  ASSERT_EQ(started(coordinator.on_outcome(3, OutcomeStatus::completed)), (Tasks{1}));
  EXPECT_EQ(started(coordinator.on_outcome(4, OutcomeStatus::failed)), (Tasks{1, 2}));
}

TEST(Coordinator, StartsNothingElsewhereForAWorkerThatDiedEmpty) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  EXPECT_TRUE(coordinator.on_lost(worker(1), "gone").empty());
  EXPECT_TRUE(coordinator.on_lost(worker(2), "never joined").empty());
  EXPECT_EQ(coordinator.running(), 1U);
}

TEST(Coordinator, GivesTheTrialsOfALostWorkerToAnotherThatIsFree) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  const auto again = starts(coordinator.on_lost(worker(0), "gone"));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].worker, worker(1));
  EXPECT_EQ(again[0].lease, 2);
}

TEST(Coordinator, GivesWorkToAWorkerThatJoinsLate) {
  Coordinator coordinator({task(), task()}, {});
  coordinator.on_joined(worker(0), 1);
  EXPECT_EQ(started(coordinator.on_joined({1, 0}, 1)), (Tasks{1}));
}

TEST(Coordinator, GivesNoMoreSlotsToAWorkerThatJoinsTwice) {
  Coordinator coordinator({task(), task()}, {});
  coordinator.on_joined(worker(0), 1);
  EXPECT_TRUE(coordinator.on_joined(worker(0), 1).empty());
  EXPECT_EQ(coordinator.running(), 1U);
}

TEST(Coordinator, TakesAWorkerWithoutSlotsForOneWithOne) {
  Coordinator coordinator({task()}, {});
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 0)), (Tasks{0}));
}

TEST(Coordinator, StopsEveryWorkerAndStartsNothingMoreWhenDrained) {
  Coordinator coordinator({task(), task(), task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  const auto stops = only<StopWorker>(coordinator.drain());
  ASSERT_EQ(stops.size(), 2U);
  EXPECT_EQ(stops[0].worker, worker(0));
  EXPECT_EQ(stops[1].worker, worker(1));
  EXPECT_FALSE(coordinator.finished());
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::completed).empty());
  EXPECT_TRUE(starts(coordinator.on_stopped(2)).empty());
  EXPECT_TRUE(coordinator.on_joined(worker(2), 1).empty());
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(coordinator.pending(), 2U);
}

TEST(Coordinator, HasAStoppedTrialPendingAgainWithoutAnAttemptCounted) {
  Coordinator coordinator({task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.drain();
  const auto ends = only<EndAttempt>(coordinator.on_stopped(1));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].state, AttemptState::stopped);
  EXPECT_EQ(coordinator.pending(), 1U);
  EXPECT_EQ(coordinator.failed(), 0U);
}

TEST(Coordinator, IsFinishedWhenADrainedWorkerDiesInsteadOfStopping) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.drain();
  EXPECT_TRUE(starts(coordinator.on_lost(worker(0), "gone")).empty());
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(coordinator.pending(), 1U);
}

TEST(Coordinator, BlamesOnlyTheKnownCulpritOfALostWorker) {
  Coordinator coordinator({task(), task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 2);
  const auto ends = only<EndAttempt>(coordinator.on_lost(worker(0), "stood still", 2));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].state, AttemptState::lost);
  EXPECT_EQ(ends[1].state, AttemptState::failed);
  EXPECT_EQ(coordinator.failed(), 1U);
  // The other is no suspect: it takes one slot of two.
  EXPECT_EQ(starts(coordinator.on_joined(worker(0), 2)).at(0).share, 0.5);
}

TEST(Coordinator, TriesAFailedTrialOnAnotherWorkerWhereThereIsOne) {
  Coordinator coordinator({task(0, 2), task(0, 1)}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  // The other is busy, so the trial waits for it.
  EXPECT_TRUE(starts(coordinator.on_outcome(1, OutcomeStatus::failed)).empty());
  const auto again = starts(coordinator.on_outcome(2, OutcomeStatus::completed));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].worker, worker(1));
}

TEST(Coordinator, QuarantinesAWorkerThatFailsOneTrialAfterTheOther) {
  Coordinator coordinator(std::vector<Task>(9, task()), {.quarantine_after = 2});
  coordinator.on_joined(worker(0), 1);                  // runs 1
  coordinator.on_joined(worker(1), 1);                  // runs 2
  coordinator.on_outcome(1, OutcomeStatus::failed);     // 3 on worker 0
  coordinator.on_outcome(2, OutcomeStatus::completed);  // 4 on worker 1
  const auto commands = coordinator.on_outcome(3, OutcomeStatus::failed);
  ASSERT_EQ(only<Quarantine>(commands).size(), 1U);
  EXPECT_EQ(only<Quarantine>(commands)[0].worker, worker(0));
  EXPECT_TRUE(starts(commands).empty());
  // Restarting does not make it a good one.
  coordinator.on_lost(worker(0), "gone");
  EXPECT_TRUE(coordinator.on_joined(worker(0), 1).empty());
  EXPECT_EQ(starts(coordinator.on_outcome(4, OutcomeStatus::completed)).at(0).worker, worker(1));
  // Better a bad worker than none.
  EXPECT_EQ(starts(coordinator.on_lost(worker(1), "gone")).at(0).worker, worker(0));
}

TEST(Coordinator, GivesWorkToAQuarantinedWorkerThatComesBackAlone) {
  Coordinator coordinator(std::vector<Task>(9, task()), {.quarantine_after = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  ASSERT_EQ(only<Quarantine>(coordinator.on_lost(worker(0), "gone")).size(), 1U);
  EXPECT_TRUE(coordinator.on_lost(worker(1), "gone, for good").size() > 0);
  EXPECT_EQ(starts(coordinator.on_joined(worker(0), 1)).size(), 1U);
}

TEST(Coordinator, QuarantinesNoWorkerThatBringsSomethingBetweenNorTheOnlyOne) {
  Coordinator between(std::vector<Task>(9, task()), {.quarantine_after = 2});
  between.on_joined(worker(0), 1);
  between.on_joined(worker(1), 1);
  std::vector<Command> all;
  for (const std::int64_t lease : {1, 3, 4})
    for (const Command& one :
         between.on_outcome(lease, lease == 3 ? OutcomeStatus::completed : OutcomeStatus::failed))
      all.push_back(one);
  EXPECT_TRUE(only<Quarantine>(all).empty());

  Coordinator alone(std::vector<Task>(9, task()), {.quarantine_after = 2});
  alone.on_joined(worker(0), 1);
  for (std::int64_t lease = 1; lease <= 6; ++lease)
    EXPECT_TRUE(only<Quarantine>(alone.on_outcome(lease, OutcomeStatus::failed)).empty());
}

TEST(Coordinator, GivesATrialThatRanOutOfMemoryTwiceTheShareUntilItIsAlone) {
  Coordinator coordinator({task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 4);
  std::vector<double> shares;
  for (std::int64_t lease = 1; lease <= 2; ++lease) {
    const auto commands = coordinator.on_out_of_memory(lease, "out of memory");
    EXPECT_EQ(only<EndAttempt>(commands).at(0).state, AttemptState::lost);
    shares.push_back(starts(commands).at(0).share);
  }
  EXPECT_EQ(shares, (std::vector<double>{0.5, 1}));
  const auto last = coordinator.on_out_of_memory(3, "out of memory");
  EXPECT_EQ(only<EndAttempt>(last).at(0).state, AttemptState::failed);
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, TakesMoreWorkWhileItRuns) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  EXPECT_EQ(started(coordinator.add({task(0, 1, 1, 3), task(), task()})), (Tasks{2}));
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_EQ(started(coordinator.on_outcome(1, OutcomeStatus::completed)), (Tasks{3}));
}

TEST(Coordinator, ForgetsACancelledTrialThatWaits) {
  Coordinator coordinator({task(), task()}, {});
  coordinator.on_joined(worker(0), 1);
  EXPECT_TRUE(coordinator.cancel(1).empty());
  EXPECT_EQ(coordinator.pending(), 0U);
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::completed).empty());
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, EndsTheWorkerOfACancelledTrialOnceTheOthersHaveStopped) {
  Coordinator coordinator({task(), task(), task()}, {});
  coordinator.on_joined(worker(0), 2);
  EXPECT_EQ(only<StopWorker>(coordinator.cancel(0)).size(), 1U);
  EXPECT_TRUE(only<EndWorker>(coordinator.on_stopped(1)).empty());
  const auto commands = coordinator.on_stopped(2);
  EXPECT_EQ(only<EndWorker>(commands).size(), 1U);
  EXPECT_TRUE(starts(commands).empty()) << "the worker has been asked to stop";
  EXPECT_TRUE(coordinator.on_lost(worker(0), "exited").empty());
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{1, 2}));
  EXPECT_FALSE(coordinator.finished());
}

TEST(Coordinator, StartsNothingThatCouldNeitherEndNorReachACheckpointInTime) {
  Coordinator coordinator({task(0, 1000), task(0, 10)}, {.checkpoint_every = 300});
  coordinator.set_time_left(200, 1);
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 1)), (Tasks{1}));
  EXPECT_FALSE(coordinator.finished());
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::completed).empty());
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(coordinator.pending(), 1U);

  Coordinator longer({task(0, 1000)}, {.checkpoint_every = 300});
  longer.set_time_left(300, 1);
  EXPECT_EQ(started(longer.on_joined(worker(0), 1)), (Tasks{0}));
}

// What a coordinator has said, kept apart from it; complains about anything that cannot be.
class Witness {
 public:
  explicit Witness(Coordinator& coordinator)
      : coordinator_(coordinator), ended_(coordinator.tasks().size(), false) {}

  void joined(WorkerId id, std::int64_t slots) {
    workers_.insert(id);
    see(coordinator_.on_joined(id, slots));
  }
  void lost(WorkerId id) {
    std::set<std::int64_t> under;
    for (const auto& [lease, run] : running_)
      if (run.worker == id) under.insert(lease);
    workers_.erase(id);
    for (std::int64_t lease : under) running_.erase(lease);
    const auto commands = coordinator_.on_lost(id, "gone");
    for (const EndAttempt& end : only<EndAttempt>(commands)) EXPECT_EQ(under.erase(end.lease), 1U);
    EXPECT_TRUE(under.empty());
    see(commands);
  }
  void outcome(std::int64_t lease, OutcomeStatus status) {
    const std::size_t task = running_.at(lease).task;
    running_.erase(lease);
    if (status != OutcomeStatus::failed) ended_[task] = true;
    see(coordinator_.on_outcome(lease, status));
  }

  void see(const std::vector<Command>& commands) {
    for (const StartTrial& start : starts(commands)) {
      EXPECT_GT(start.lease, last_lease_) << "leases grow";
      last_lease_ = start.lease;
      EXPECT_FALSE(ended_[start.task]) << "a trial that is done runs no more";
      for (const auto& [lease, run] : running_)
        EXPECT_NE(run.task, start.task) << "no trial runs twice at once";
      ASSERT_TRUE(workers_.count(start.worker));
      running_[start.lease] = {start.task, start.worker, start.share};
      EXPECT_TRUE(coordinator_.is_running(start.worker, start.lease));
    }
    for (const WorkerId& id : workers_) {
      double taken = 0;
      for (const auto& [lease, run] : running_) taken += run.worker == id ? run.share : 0;
      EXPECT_LE(taken, 1 + 1e-9) << "free slots are never negative";
    }
    EXPECT_EQ(coordinator_.running(), running_.size());
    const auto done = static_cast<std::size_t>(std::count(ended_.begin(), ended_.end(), true));
    EXPECT_EQ(coordinator_.pending() + running_.size() + coordinator_.failed() + done,
              ended_.size())
        << "every trial is somewhere";
    EXPECT_TRUE(workers_.empty() || !running_.empty() || coordinator_.pending() == 0)
        << "no sweep idles while there is work";
  }

  struct Run {
    std::size_t task;
    WorkerId worker;
    double share;
  };
  const std::map<std::int64_t, Run>& running() const { return running_; }
  const std::set<WorkerId>& workers() const { return workers_; }

 private:
  Coordinator& coordinator_;
  std::vector<bool> ended_;
  std::map<std::int64_t, Run> running_;
  std::set<WorkerId> workers_;
  std::int64_t last_lease_ = 0;
};

template <class Some>
auto any_of(const Some& some, std::mt19937& random) {
  return *std::next(some.begin(), static_cast<std::ptrdiff_t>(random() % some.size()));
}

TEST(Coordinator, KeepsItsPromisesUnderAnyOrderOfEvents) {
  std::mt19937 random(20240501);
  for (int round = 0; round < 30; ++round) {
    std::vector<Task> tasks;
    for (int i = 0; i < 120; ++i)
      tasks.push_back(
          task(static_cast<std::int64_t>(random() % 3), random() % 50, 1 << (random() % 13)));
    Coordinator coordinator(tasks, {.order = round % 2 ? Order::longest : Order::seed_major});
    Witness witness(coordinator);
    std::int64_t joined = 0;
    for (int event = 0; event < 1500 && !coordinator.finished(); ++event) {
      const auto kind = random() % 10;
      if (witness.workers().empty() || (kind == 0 && witness.workers().size() < 6)) {
        witness.joined({static_cast<int>(joined % 3), joined}, 1 + random() % 8);
        ++joined;
      } else if (kind == 1) {
        witness.lost(any_of(witness.workers(), random));
      } else if (!witness.running().empty()) {
        const OutcomeStatus outcomes[] = {OutcomeStatus::completed, OutcomeStatus::completed,
                                          OutcomeStatus::diverged, OutcomeStatus::failed};
        witness.outcome(any_of(witness.running(), random).first, outcomes[random() % 4]);
      }
    }
    EXPECT_TRUE(coordinator.finished()) << "every trial ends done or failed";
    EXPECT_EQ(coordinator.pending(), 0U);
  }
}

}  // namespace
}  // namespace occam
