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

TEST(Coordinator, CountsADeathOnlyWhereTheAttemptSavedNothingNew) {
  Coordinator coordinator({task()}, {.max_attempts = 2});
  const auto end_after = [&](std::int64_t lease, const std::vector<std::int64_t>& saved) {
    coordinator.on_joined(worker(0), 1);
    for (const std::int64_t step : saved) coordinator.on_saved(lease, step);
    return only<EndAttempt>(coordinator.on_lost(worker(0), "was killed")).at(0).state;
  };
  EXPECT_EQ(end_after(1, {100}), AttemptState::lost);
  EXPECT_EQ(end_after(2, {150, 200}), AttemptState::lost);
  EXPECT_EQ(end_after(3, {200}), AttemptState::failed) << "it began from there";
  EXPECT_EQ(end_after(4, {201}), AttemptState::lost);
  EXPECT_EQ(coordinator.pending(), 1U);
  EXPECT_EQ(end_after(5, {}), AttemptState::failed);
  EXPECT_EQ(coordinator.failed(), 1U);
}

TEST(Coordinator, CountsFromNothingWhatATrialSavesThatIsRetried) {
  Coordinator coordinator({task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_saved(1, 100);
  coordinator.on_outcome(1, OutcomeStatus::diverged);
  coordinator.retry(0);
  coordinator.on_saved(2, 3);
  EXPECT_EQ(only<EndAttempt>(coordinator.on_lost(worker(0), "was killed")).at(0).state,
            AttemptState::lost);
}

// What it saved before says nothing of the others.
TEST(Coordinator, TriesASuspectAloneUntilItComesThroughWhateverItSaves) {
  Coordinator coordinator({task(), task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 2);
  coordinator.on_lost(worker(0), "gone");
  ASSERT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{0}));
  coordinator.on_saved(3, 100);
  coordinator.on_lost(worker(0), "gone");
  ASSERT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{0}));
  coordinator.on_lost(worker(0), "gone");
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 2)), (Tasks{1}));
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

TEST(Coordinator, StartsAnotherWhereOneIsScored) {
  Coordinator coordinator({task(), task(), task(), task()}, {});
  ASSERT_EQ(started(coordinator.on_joined(worker(0), 1)), (Tasks{0}));
  const auto next = starts(coordinator.on_scoring(1));
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].share, 1);
  EXPECT_TRUE(coordinator.on_scoring(1).empty()) << "twice is once";
  EXPECT_TRUE(coordinator.on_scoring(2).empty()) << "one slot, one that is scored";
  EXPECT_EQ(coordinator.running(), 2U);
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::completed).empty()) << "its slot is taken";
  EXPECT_EQ(started(coordinator.on_scoring(2)), (Tasks{2}));
  EXPECT_TRUE(coordinator.on_outcome(2, OutcomeStatus::completed).empty());
  EXPECT_EQ(started(coordinator.on_outcome(3, OutcomeStatus::completed)), (Tasks{3}));
}

TEST(Coordinator, TriesASuspectAloneAlsoWhereOneIsScored) {
  Coordinator coordinator({task(0, 3), task(0, 2), task(0, 1)}, {});
  coordinator.on_joined(worker(0), 2);
  coordinator.on_joined(worker(1), 1);
  coordinator.on_scoring(3);  // of the third, on the second worker
  const auto commands = coordinator.on_lost(worker(0), "gone");
  EXPECT_TRUE(starts(commands).empty()) << "the suspects wait until it is scored";
  EXPECT_EQ(started(coordinator.on_outcome(3, OutcomeStatus::completed)), (Tasks{0}));
  EXPECT_TRUE(starts(coordinator.on_scoring(4)).empty()) << "and are scored alone";
}

TEST(Coordinator, GivesATrialThatRanOutOfMemoryWhileItWasScoredMoreOfTheWorker) {
  Coordinator coordinator({task(), task()}, {});
  coordinator.on_joined(worker(0), 4);
  coordinator.on_scoring(1);
  const auto again = starts(coordinator.on_out_of_memory(1, "CUDA out of memory"));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].share, 0.5);
}

TEST(Coordinator, TriesWhatRanOutOfMemoryBesideATrialThatIsScoredAloneAndDoesNotCountIt) {
  Coordinator coordinator({task(), task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  ASSERT_EQ(started(coordinator.on_scoring(1)), (Tasks{1}));
  const auto commands = coordinator.on_out_of_memory(2, "CUDA out of memory");
  EXPECT_EQ(only<EndAttempt>(commands).at(0).state, AttemptState::lost);
  EXPECT_TRUE(starts(commands).empty()) << "the first is still scored";
  EXPECT_EQ(started(coordinator.on_outcome(1, OutcomeStatus::completed)), (Tasks{1}));
  EXPECT_EQ(only<EndAttempt>(coordinator.on_out_of_memory(3, "CUDA out of memory")).at(0).state,
            AttemptState::failed);
  EXPECT_EQ(coordinator.failed(), 1U);
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

TEST(Coordinator, TriesAFailedTrialAtOnceAndForTheLastTimeOnAnotherWorker) {
  Coordinator coordinator({task(0, 2), task(0, 1)}, {.max_attempts = 3});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  // The other is busy: better here at once than there at some time.
  const auto second = starts(coordinator.on_outcome(1, OutcomeStatus::failed));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].worker, worker(0));
  // The last attempt waits for it.
  EXPECT_TRUE(starts(coordinator.on_outcome(second[0].lease, OutcomeStatus::failed)).empty());
  const auto last = starts(coordinator.on_outcome(2, OutcomeStatus::completed));
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].worker, worker(1));
}

TEST(Coordinator, TriesAFailedTrialOnAnotherWorkerThatIsFree) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  const auto again = starts(coordinator.on_outcome(1, OutcomeStatus::failed));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].worker, worker(1));
}

TEST(Coordinator, GivesATrialAllItsAttemptsAgainWhenItIsToBeRetried) {
  Coordinator coordinator({task(0, 3), task(0, 2), task(0, 1)}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_outcome(1, OutcomeStatus::failed);  // now task 1 runs
  EXPECT_EQ(coordinator.failed(), 1U);
  coordinator.cancel(2);
  EXPECT_TRUE(coordinator.retry(0).empty());  // the worker is busy
  EXPECT_TRUE(coordinator.retry(1).empty());  // it runs
  coordinator.retry(2);
  EXPECT_EQ(coordinator.failed(), 0U);
  EXPECT_EQ(coordinator.pending(), 2U);
  EXPECT_EQ(started(coordinator.on_outcome(2, OutcomeStatus::completed)), (Tasks{0}));
  EXPECT_EQ(started(coordinator.on_outcome(3, OutcomeStatus::completed)), (Tasks{2}));
  coordinator.on_outcome(4, OutcomeStatus::completed);
  EXPECT_TRUE(coordinator.finished());
}

TEST(Coordinator, TrainsWhatCannotBeScoredByWhatWasKeptAndCountsNoAttempt) {
  Coordinator coordinator({task()}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  const auto commands = coordinator.on_unscored(1, "damaged", true);
  EXPECT_EQ(only<EndAttempt>(commands).at(0).state, AttemptState::lost);
  EXPECT_EQ(started(commands), (Tasks{0}));
  EXPECT_EQ(coordinator.tasks()[0].failed_attempts, 0);
}

TEST(Coordinator, GivesUpWhatCannotBeScoredWhereNothingTrainsUnlessItIsToBeRetried) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  EXPECT_TRUE(started(coordinator.on_unscored(1, "damaged", false)).empty());
  EXPECT_EQ(coordinator.failed(), 1U);
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(started(coordinator.retry(0)), (Tasks{0}));
  EXPECT_EQ(coordinator.failed(), 0U);
}

TEST(Coordinator, StartsARetriedTrialAtOnceWhereAWorkerIsFree) {
  Coordinator coordinator({task(0, 2), task(0, 1)}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  coordinator.on_outcome(1, OutcomeStatus::failed);
  EXPECT_EQ(started(coordinator.retry(0)), (Tasks{0}));
  EXPECT_EQ(coordinator.failed(), 0U);
}

TEST(Coordinator, QuarantinesAWorkerThatFailsOneTrialAfterTheOther) {
  Coordinator coordinator(std::vector<Task>(9, task()), {.max_attempts = 2, .quarantine_after = 2});
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

// ---- gangs ----

Task gang_task(std::int32_t gpus, std::int64_t seed_rank = 0, double work = 1) {
  Task one = task(seed_rank, work);
  one.gpus = gpus;
  return one;
}
std::vector<WorkerId> workers_of(const std::vector<StartTrial>& some) {
  std::vector<WorkerId> ids;
  for (const StartTrial& one : some) ids.push_back(one.worker);
  return ids;
}
std::vector<WorkerId> asked_to_leave(const std::vector<Command>& commands) {
  std::vector<WorkerId> ids;
  for (const LeaveGang& one : only<LeaveGang>(commands)) ids.push_back(one.worker);
  return ids;
}
using Workers = std::vector<WorkerId>;

// A gang of three with its ticket, under lease 1 on workers 0 to 2; worker 3 is idle.
class GangOfThree : public testing::Test {
 protected:
  GangOfThree() : coordinator_({gang_task(3)}, {.max_attempts = 2}) {
    for (std::int64_t number = 0; number < 4; ++number) coordinator_.on_joined(worker(number), 8);
    coordinator_.on_ticket(1, "here");
  }
  Coordinator coordinator_;
};

TEST(Gang, WaitsForNoWorkerThatStillScoresWhereOthersAreWhole) {
  Coordinator coordinator({task()}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_scoring(1);
  coordinator.on_joined(worker(1), 1);
  coordinator.on_joined(worker(2), 1);
  const auto first = starts(coordinator.add({gang_task(2)}));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].worker, worker(1));
}

TEST(Gang, StartsItsFirstAloneAndWithItsTicketTheOthersUnderTheSameLease) {
  Coordinator coordinator({gang_task(3)}, {});
  EXPECT_TRUE(coordinator.on_joined(worker(0), 8).empty());
  EXPECT_TRUE(coordinator.on_joined(worker(1), 8).empty());
  const auto first = starts(coordinator.on_joined(worker(2), 8));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].worker, worker(0));
  EXPECT_EQ(first[0].rank, 0);
  EXPECT_EQ(first[0].size, 3);
  EXPECT_EQ(first[0].share, 1);
  const auto others = starts(coordinator.on_ticket(first[0].lease, "here"));
  ASSERT_EQ(workers_of(others), (Workers{worker(1), worker(2)}));
  for (std::int64_t rank = 1; rank < 3; ++rank) {
    EXPECT_EQ(others[static_cast<std::size_t>(rank - 1)].rank, rank);
    EXPECT_EQ(others[static_cast<std::size_t>(rank - 1)].ticket, "here");
    EXPECT_EQ(others[static_cast<std::size_t>(rank - 1)].lease, first[0].lease);
  }
  EXPECT_EQ(coordinator.running(), 1U);
  EXPECT_TRUE(coordinator.is_running(worker(0), 1));
  EXPECT_FALSE(coordinator.is_running(worker(1), 1)) << "its first speaks for it";
  EXPECT_TRUE(coordinator.is_member(worker(1), 1));
}

TEST_F(GangOfThree, HearsASecondTicketWithoutStartingAnybodyTwice) {
  EXPECT_TRUE(coordinator_.on_ticket(1, "again").empty());
  EXPECT_TRUE(coordinator_.on_ticket(7, "of none").empty());
}

TEST(Gang, TakesWholeWorkersWhileOthersShareTheRest) {
  Coordinator coordinator({gang_task(2, 0, 9), task(), task()}, {});
  coordinator.on_joined(worker(0), 4);
  EXPECT_EQ(started(coordinator.on_joined(worker(1), 4)), (Tasks{0}));
  EXPECT_EQ(started(coordinator.on_joined(worker(2), 4)), (Tasks{1, 2}));
}

TEST(Gang, KeepsWorkersAsTheyComeFreeWhateverElseWaits) {
  std::vector<Task> tasks{task(0, 9), task(0, 8), gang_task(2, 0, 7)};
  for (int i = 0; i < 50; ++i) tasks.push_back(task(0, 1));
  Coordinator coordinator(tasks, {});
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 1)), (Tasks{0}));
  EXPECT_EQ(started(coordinator.on_joined(worker(1), 1)), (Tasks{1}));
  EXPECT_TRUE(starts(coordinator.on_outcome(1, OutcomeStatus::completed)).empty()) << "it is kept";
  const auto gang = starts(coordinator.on_outcome(2, OutcomeStatus::completed));
  ASSERT_EQ(gang.size(), 1U);
  EXPECT_EQ(gang[0].task, 2U);
}

TEST(Gang, IsOnOneNodeWhereANodeIsLargeEnough) {
  Coordinator coordinator({gang_task(2)}, {});
  coordinator.set_crew({{0, 2}, {1, 2}});
  EXPECT_TRUE(coordinator.on_joined({0, 0}, 1).empty());
  EXPECT_TRUE(coordinator.on_joined({1, 0}, 1).empty()) << "it waits for a second one on a node";
  EXPECT_EQ(starts(coordinator.on_joined({1, 1}, 1)).at(0).worker, (WorkerId{1, 0}));
  EXPECT_EQ(workers_of(starts(coordinator.on_ticket(1, "here"))), (Workers{{1, 1}}));
}

TEST(Gang, TakesTheNodeWithTheLeastToSpare) {
  Coordinator coordinator({}, {});
  coordinator.set_crew({{0, 4}, {1, 2}});
  for (std::int64_t number = 0; number < 4; ++number) coordinator.on_joined({0, number}, 1);
  for (std::int64_t number = 0; number < 2; ++number) coordinator.on_joined({1, number}, 1);
  EXPECT_EQ(starts(coordinator.add({gang_task(2)})).at(0).worker, (WorkerId{1, 0}));
}

TEST(Gang, SpansNodesWhenNoneIsLargeEnough) {
  Coordinator coordinator({gang_task(4)}, {});
  coordinator.set_crew({{0, 2}, {1, 2}});
  for (const WorkerId id : {WorkerId{0, 0}, WorkerId{1, 1}, WorkerId{1, 0}})
    EXPECT_TRUE(coordinator.on_joined(id, 1).empty());
  EXPECT_EQ(starts(coordinator.on_joined({0, 1}, 1)).at(0).worker, (WorkerId{0, 0}));
  EXPECT_EQ(workers_of(starts(coordinator.on_ticket(1, "here"))),
            (Workers{{0, 1}, {1, 0}, {1, 1}}));
}

TEST(Gang, ThatAllWorkersWouldNotSufficeForKeepsNobodyWaiting) {
  Coordinator coordinator({gang_task(3, 0, 9), task()}, {});
  coordinator.set_crew({{0, 2}});
  EXPECT_EQ(coordinator.too_large(), 1U);
  EXPECT_EQ(coordinator.pending(), 2U);
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  coordinator.on_outcome(1, OutcomeStatus::completed);
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(coordinator.pending(), 1U) << "it is left for another run";
}

TEST(Gang, WaitsNoLongerForAWorkerThatIsGivenUpAndComesTogetherWhenThereAreMore) {
  Coordinator coordinator({gang_task(2)}, {});
  coordinator.set_crew({{0, 2}});
  coordinator.on_joined(worker(0), 1);
  EXPECT_FALSE(coordinator.finished());
  coordinator.set_crew({{0, 1}});
  EXPECT_TRUE(coordinator.finished());
  coordinator.set_crew({{0, 2}});
  EXPECT_FALSE(coordinator.finished());
  EXPECT_EQ(started(coordinator.on_joined(worker(1), 1)), (Tasks{0}));
}

TEST_F(GangOfThree, EndsByItsFirstsOutcomeAndIsFreeOnceTheOthersHaveLeft) {
  EXPECT_TRUE(coordinator_.on_left(worker(1), 1, "").empty());
  const auto commands = coordinator_.on_outcome(1, OutcomeStatus::completed);
  EXPECT_EQ(asked_to_leave(commands), (Workers{worker(2)}));
  EXPECT_TRUE(coordinator_.finished());
  coordinator_.add({gang_task(4)});
  EXPECT_EQ(coordinator_.running(), 0U) << "worker 2 is still to leave";
  EXPECT_EQ(starts(coordinator_.on_left(worker(2), 1, "")).size(), 1U);
  EXPECT_TRUE(coordinator_.on_left(worker(2), 1, "").empty()) << "said twice";
}

TEST_F(GangOfThree, LendsAMemberThatIsDoneBeforeItsFirst) {
  const Task whole = task(0, 1, kWholeWorker);
  EXPECT_EQ(starts(coordinator_.add({whole, whole})).at(0).worker, worker(3));
  EXPECT_EQ(starts(coordinator_.on_left(worker(1), 1, "")).at(0).worker, worker(1));
  EXPECT_TRUE(coordinator_.is_running(worker(0), 1));
}

TEST_F(GangOfThree, BreaksWhenAMemberIsLostAndEndsWhenTheOthersHaveLeft) {
  const auto commands = coordinator_.on_lost(worker(1), "was killed by signal 9");
  EXPECT_EQ(asked_to_leave(commands), (Workers{worker(0), worker(2)}));
  EXPECT_TRUE(only<EndAttempt>(commands).empty());
  EXPECT_TRUE(coordinator_.is_broken(1));
  EXPECT_TRUE(coordinator_.on_left(worker(0), 1, "worker 1 does not answer").empty());
  const auto last = coordinator_.on_left(worker(2), 1, "");
  ASSERT_EQ(only<EndAttempt>(last).size(), 1U);
  EXPECT_EQ(only<EndAttempt>(last)[0].state, AttemptState::failed);
  EXPECT_EQ(only<EndAttempt>(last)[0].error, "was killed by signal 9");
  // Workers 0, 2 and 3 make the next.
  ASSERT_EQ(starts(last).size(), 1U);
  EXPECT_EQ(starts(last)[0].lease, 2);
  EXPECT_EQ(workers_of(starts(coordinator_.on_ticket(2, "there"))),
            (Workers{worker(2), worker(3)}));
}

TEST_F(GangOfThree, LostForTheLastTimeHasFailed) {
  coordinator_.on_lost(worker(0), "gone");
  coordinator_.on_left(worker(1), 1, "");
  coordinator_.on_left(worker(2), 1, "");
  coordinator_.on_ticket(2, "there");
  coordinator_.on_lost(worker(3), "gone");
  coordinator_.on_left(worker(1), 2, "");
  EXPECT_FALSE(coordinator_.finished());
  coordinator_.on_lost(worker(2), "was silent");
  EXPECT_EQ(coordinator_.failed(), 1U);
  EXPECT_TRUE(coordinator_.finished());
}

TEST_F(GangOfThree, LostAfterACheckpointIsTriedAgainWithoutCounting) {
  coordinator_.on_saved(1, 100);
  coordinator_.on_lost(worker(1), "gone");
  coordinator_.on_left(worker(0), 1, "worker 1 does not answer");
  const auto last = coordinator_.on_left(worker(2), 1, "");
  EXPECT_EQ(only<EndAttempt>(last).at(0).state, AttemptState::lost);
  coordinator_.on_ticket(2, "there");
  coordinator_.on_lost(worker(0), "gone");
  coordinator_.on_left(worker(2), 2, "");
  EXPECT_EQ(only<EndAttempt>(coordinator_.on_left(worker(3), 2, "")).at(0).state,
            AttemptState::failed);
}

TEST_F(GangOfThree, ThatLeftForAReasonFailsByTheMemberThatWasLostForIt) {
  EXPECT_EQ(asked_to_leave(coordinator_.on_left(worker(2), 1, "worker 1 does not answer")),
            (Workers{worker(0), worker(1)}));
  coordinator_.on_left(worker(0), 1, "worker 1 does not answer");
  const auto last = coordinator_.on_lost(worker(1), "was silent for 20 s and was killed");
  EXPECT_EQ(only<EndAttempt>(last).at(0).error, "was silent for 20 s and was killed");
}

TEST_F(GangOfThree, BlamesNobodyElseWhenMembersEndWhileLeaving) {
  coordinator_.on_lost(worker(1), "first");
  coordinator_.on_lost(worker(0), "second");
  const auto last = coordinator_.on_lost(worker(2), "third");
  ASSERT_EQ(only<EndAttempt>(last).size(), 1U);
  EXPECT_EQ(only<EndAttempt>(last)[0].error, "first");
  EXPECT_EQ(coordinator_.pending(), 1U) << "one attempt counts, of two";
}

TEST(Gang, WithAWorkerThatIsLostBeforeItsStartIsNotBlamed) {
  Coordinator coordinator({gang_task(2)}, {.max_attempts = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  EXPECT_EQ(asked_to_leave(coordinator.on_lost(worker(1), "gone")), (Workers{worker(0)}));
  const auto last = coordinator.on_left(worker(0), 1, "");
  EXPECT_EQ(only<EndAttempt>(last).at(0).state, AttemptState::lost);
  EXPECT_EQ(coordinator.failed(), 0U);
  EXPECT_EQ(started(coordinator.on_joined(worker(1), 1)), (Tasks{0}));
  // Its first has started, so its end is by the trial's fault; the other is free at once.
  coordinator.add({task()});
  const auto commands = coordinator.on_lost(worker(0), "gone");
  EXPECT_EQ(only<EndAttempt>(commands).at(0).state, AttemptState::failed);
  EXPECT_EQ(starts(commands).at(0).worker, worker(1));
}

TEST_F(GangOfThree, ThatFailsByItsFirstsWordIsDismissed) {
  const auto commands = coordinator_.on_outcome(1, OutcomeStatus::failed);
  EXPECT_EQ(asked_to_leave(commands), (Workers{worker(1), worker(2)}));
  EXPECT_TRUE(starts(commands).empty()) << "two are free, and it needs three";
  EXPECT_EQ(started(coordinator_.on_left(worker(1), 1, "")), (Tasks{0}));
}

TEST_F(GangOfThree, StopsByItsFirstsWordWhenDrained) {
  EXPECT_EQ(only<StopWorker>(coordinator_.drain()).size(), 4U);
  coordinator_.on_left(worker(1), 1, "");
  const auto commands = coordinator_.on_stopped(1);
  EXPECT_EQ(only<EndAttempt>(commands).at(0).state, AttemptState::stopped);
  EXPECT_EQ(asked_to_leave(commands), (Workers{worker(2)}));
  EXPECT_TRUE(coordinator_.finished());
  EXPECT_EQ(coordinator_.pending(), 1U);
}

TEST_F(GangOfThree, ThatBreaksWhileItStopsHasStopped) {
  coordinator_.drain();
  coordinator_.on_left(worker(1), 1, "worker 0 has gone");
  coordinator_.on_left(worker(0), 1, "");
  const auto last = coordinator_.on_left(worker(2), 1, "");
  EXPECT_EQ(only<EndAttempt>(last).at(0).state, AttemptState::stopped);
}

TEST(Gang, ThatIsNotTogetherYetIsLeftWhenDrained) {
  Coordinator coordinator({gang_task(2)}, {});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  EXPECT_EQ(asked_to_leave(coordinator.drain()), (Workers{worker(0)}));
  EXPECT_TRUE(coordinator.on_ticket(1, "late").empty());
  EXPECT_EQ(only<EndAttempt>(coordinator.on_left(worker(0), 1, "")).at(0).state,
            AttemptState::stopped);
  EXPECT_TRUE(coordinator.finished());
}

TEST_F(GangOfThree, IsLeftWhenItsTrialIsCancelledAndItsWorkersLiveOn) {
  const auto commands = coordinator_.cancel(0);
  EXPECT_EQ(asked_to_leave(commands).size(), 3U);
  EXPECT_TRUE(only<StopWorker>(commands).empty());
  for (std::int64_t number = 0; number < 3; ++number) coordinator_.on_left(worker(number), 1, "");
  EXPECT_TRUE(coordinator_.finished());
  EXPECT_EQ(coordinator_.pending(), 0U);
  EXPECT_EQ(coordinator_.failed(), 0U);
}

TEST_F(GangOfThree, ThatRunsOutOfMemoryHasFailed) {
  coordinator_.on_out_of_memory(1, "out of memory");
  coordinator_.on_left(worker(1), 1, "");
  const auto last = coordinator_.on_left(worker(2), 1, "");
  EXPECT_EQ(only<EndAttempt>(last).at(0).state, AttemptState::failed);
}

TEST(Gang, OfTwiceTheSizeTriesAgainWhatRanOutOfMemoryWhereItMayChoose) {
  Task any = task(0, 1, kWholeWorker);
  any.most_gpus = 4;
  Coordinator coordinator({any}, {.max_attempts = 1});
  for (std::int64_t number = 0; number < 4; ++number) coordinator.on_joined(worker(number), 8);
  const auto second = coordinator.on_out_of_memory(1, "out of memory");
  EXPECT_EQ(only<EndAttempt>(second).at(0).state, AttemptState::lost);
  EXPECT_EQ(starts(second).at(0).size, 2);
  coordinator.on_ticket(2, "here");
  // A member's memory is as good as its first's.
  coordinator.on_left(starts(second).at(0).worker == worker(0) ? worker(1) : worker(2), 2,
                      "out of memory", true);
  std::vector<Command> third;
  for (std::int64_t number = 0; number < 4; ++number)
    for (const Command& one : coordinator.on_left(worker(number), 2, "")) third.push_back(one);
  EXPECT_EQ(only<EndAttempt>(third).at(0).state, AttemptState::lost);
  ASSERT_EQ(starts(third).at(0).size, 4);
  coordinator.on_ticket(3, "here");
  coordinator.on_out_of_memory(3, "out of memory");
  for (std::int64_t number = 0; number < 4; ++number) coordinator.on_left(worker(number), 3, "");
  EXPECT_EQ(coordinator.failed(), 1U);
}

TEST(Gang, QuarantinesNoWorkerThatItCouldNotDoWithout) {
  Coordinator coordinator(std::vector<Task>(9, gang_task(2)),
                          {.max_attempts = 9, .quarantine_after = 1});
  coordinator.on_joined(worker(0), 1);
  coordinator.on_joined(worker(1), 1);
  EXPECT_TRUE(only<Quarantine>(coordinator.on_outcome(1, OutcomeStatus::failed)).empty());
  Coordinator larger(std::vector<Task>(9, gang_task(2)),
                     {.max_attempts = 9, .quarantine_after = 1});
  larger.on_joined(worker(0), 1);
  larger.on_joined(worker(1), 1);
  larger.on_joined(worker(2), 1);
  EXPECT_EQ(only<Quarantine>(larger.on_outcome(1, OutcomeStatus::failed)).size(), 1U);
}

TEST(Coordinator, StartsNothingThatCouldNeitherEndNorReachACheckpointInTime) {
  Coordinator coordinator({task(0, 1000), task(0, 10)}, {.checkpoint_every = 300});
  coordinator.set_time_left(4000, 1);
  coordinator.set_time_left(200, 1);
  EXPECT_EQ(started(coordinator.on_joined(worker(0), 1)), (Tasks{1}));
  EXPECT_FALSE(coordinator.finished());
  EXPECT_TRUE(coordinator.on_outcome(1, OutcomeStatus::completed).empty());
  EXPECT_TRUE(coordinator.finished());
  EXPECT_EQ(coordinator.pending(), 1U);

  Coordinator longer({task(0, 1000)}, {.checkpoint_every = 300});
  longer.set_time_left(300, 1);
  EXPECT_EQ(started(longer.on_joined(worker(0), 1)), (Tasks{0}));

  // Else run after run would start nothing.
  Coordinator shorter({task(0, 1000), task(0, 1000)}, {.checkpoint_every = 300});
  shorter.set_time_left(100, 1);
  EXPECT_EQ(started(shorter.on_joined(worker(0), 1)), (Tasks{0}));
  shorter.set_time_left(40, 1);
  EXPECT_TRUE(started(shorter.on_joined(worker(1), 1)).empty());
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
      if (run.workers.size() == 1 && run.workers.count(id)) under.insert(lease);
    workers_.erase(id);
    for (auto& [lease, run] : running_) run.workers.erase(id);
    std::erase_if(held_, [&](const auto& one) { return one.first == id; });
    const auto commands = coordinator_.on_lost(id, "gone");
    for (const EndAttempt& end : only<EndAttempt>(commands)) under.erase(end.lease);
    EXPECT_TRUE(under.empty()) << "of an attempt with no worker left";
    see(commands);
  }
  void outcome(std::int64_t lease, OutcomeStatus status) {
    const Run run = running_.at(lease);
    running_.erase(lease);
    if (status != OutcomeStatus::failed) ended_[run.task] = true;
    for (const WorkerId& id : run.workers)
      if (id != run.first && run.joined) held_[id] = lease;  // until they have left
    see(coordinator_.on_outcome(lease, status));
  }
  void scoring(std::int64_t lease) {
    running_.at(lease).scoring = true;
    see(coordinator_.on_scoring(lease));
  }
  void ticket(std::int64_t lease) { see(coordinator_.on_ticket(lease, "ticket")); }
  void left(WorkerId id, std::int64_t lease, const std::string& reason) {
    if (const auto run = running_.find(lease); run != running_.end()) run->second.workers.erase(id);
    held_.erase(id);
    see(coordinator_.on_left(id, lease, reason));
  }

  void see(const std::vector<Command>& commands) {
    for (const EndAttempt& end : only<EndAttempt>(commands)) running_.erase(end.lease);
    for (const LeaveGang& leave : only<LeaveGang>(commands)) asked_[leave.worker] = leave.lease;
    for (const StartTrial& start : starts(commands)) {
      ASSERT_TRUE(workers_.count(start.worker));
      EXPECT_FALSE(held_.count(start.worker)) << "a worker that has not left its gang";
      asked_.erase(start.worker);
      if (start.rank > 0) {
        Run& run = running_.at(start.lease);
        EXPECT_EQ(run.task, start.task);
        EXPECT_EQ(start.ticket, "ticket");
        EXPECT_TRUE(run.workers.insert(start.worker).second) << "no worker twice in a gang";
        run.joined = true;
        continue;
      }
      EXPECT_GT(start.lease, last_lease_) << "leases grow";
      last_lease_ = start.lease;
      EXPECT_FALSE(ended_[start.task]) << "a trial that is done runs no more";
      for (const auto& [lease, run] : running_)
        EXPECT_NE(run.task, start.task) << "no trial runs twice at once";
      EXPECT_EQ(start.size, coordinator_.tasks()[start.task].gpus);
      if (start.size > 1) {
        for (const auto& [lease, run] : running_)
          EXPECT_FALSE(run.workers.count(start.worker)) << "scored where a gang begins";
      }
      running_[start.lease] = {start.task, start.worker, {start.worker}, start.share, start.size};
      EXPECT_TRUE(coordinator_.is_running(start.worker, start.lease));
    }
    for (const WorkerId& id : workers_) {
      double taken = held_.count(id);
      for (const auto& [lease, run] : running_)
        taken += run.workers.count(id) && (!run.scoring || run.size > 1) ? run.share : 0;
      EXPECT_LE(taken, 1 + 1e-9) << "a gang shares with nobody, others only what there is";
    }
    EXPECT_EQ(coordinator_.running(), running_.size());
    const auto done = static_cast<std::size_t>(std::count(ended_.begin(), ended_.end(), true));
    EXPECT_EQ(coordinator_.pending() + running_.size() + coordinator_.failed() + done,
              ended_.size())
        << "every trial is somewhere";
    EXPECT_TRUE(workers_.size() < workers_needed || !running_.empty() || !held_.empty() ||
                coordinator_.pending() == 0)
        << "no sweep idles while there is work";
  }

  struct Run {
    std::size_t task;
    WorkerId first;
    std::set<WorkerId> workers;  // started, and not left
    double share;
    std::int64_t size;
    bool joined = false, scoring = false;
  };
  const std::map<std::int64_t, Run>& running() const { return running_; }
  const std::set<WorkerId>& workers() const { return workers_; }
  // Workers that have been asked to leave the gang of a lease.
  const std::map<WorkerId, std::int64_t>& asked() const { return asked_; }
  void answer(WorkerId id) {
    const std::int64_t lease = asked_.at(id);
    asked_.erase(id);
    if (workers_.count(id)) left(id, lease, "");
  }
  std::size_t workers_needed = 1;

 private:
  Coordinator& coordinator_;
  std::vector<bool> ended_;
  std::map<std::int64_t, Run> running_;
  std::map<WorkerId, std::int64_t> held_, asked_;
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
      } else if (kind < 5 && !witness.running().empty()) {
        witness.scoring(any_of(witness.running(), random).first);
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

// Gangs of one to four among small trials on six workers of two nodes, which die, fail, leave and
// answer in any order.
TEST(Coordinator, KeepsItsPromisesWithGangsUnderAnyOrderOfEvents) {
  std::mt19937 random(20250307);
  for (int round = 0; round < 60; ++round) {
    std::vector<Task> tasks;
    for (int i = 0; i < 80; ++i) {
      tasks.push_back(
          task(static_cast<std::int64_t>(random() % 3), random() % 50, 1 << (random() % 13)));
      const std::int32_t sizes[] = {1, 1, 2, 3, 4};
      tasks.back().gpus = sizes[random() % 5];
    }
    Coordinator coordinator(tasks, {.order = round % 2 ? Order::longest : Order::seed_major});
    Witness witness(coordinator);
    witness.workers_needed = round % 3 != 0 ? 6 : 4;  // for any gang to come together
    if (round % 3 != 0) witness.see(coordinator.set_crew({{0, 3}, {1, 3}}));
    std::set<WorkerId> gone{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}};
    int event = 0;
    for (; event < 20'000 && !coordinator.finished(); ++event) {
      const auto kind = random() % 12;
      if (!gone.empty() && (kind < 3 || witness.workers().size() < 4)) {
        const WorkerId id = any_of(gone, random);
        gone.erase(id);
        witness.joined(id, 1 + static_cast<std::int64_t>(random() % 8));
      } else if (kind == 3 && random() % 4 == 0 && !witness.workers().empty()) {
        const WorkerId id = any_of(witness.workers(), random);
        gone.insert(id);
        witness.lost(id);
      } else if (kind < 6 && !witness.asked().empty()) {
        witness.answer(any_of(witness.asked(), random).first);
      } else if (!witness.running().empty()) {
        const auto [lease, run] = any_of(witness.running(), random);
        const OutcomeStatus outcomes[] = {OutcomeStatus::completed, OutcomeStatus::completed,
                                          OutcomeStatus::diverged, OutcomeStatus::failed};
        if (run.size == 1) {
          witness.outcome(lease, outcomes[random() % 4]);
        } else if (!run.joined) {
          if (random() % 10 > 0) witness.ticket(lease);
        } else if (random() % 6 == 0 && run.workers.size() > 1) {
          const WorkerId id = any_of(run.workers, random);
          if (id != run.first) witness.left(id, lease, random() % 2 ? "" : "the gang broke");
        } else if (run.workers.count(run.first) && !coordinator.is_broken(lease)) {
          witness.outcome(lease, outcomes[random() % 4]);
        }
      }
      if (HasFailure()) FAIL() << "round " << round << ", event " << event;
    }
    EXPECT_TRUE(coordinator.finished()) << "every trial ends done or failed, round " << round;
    EXPECT_EQ(coordinator.pending(), 0U);
  }
}

}  // namespace
}  // namespace occam
