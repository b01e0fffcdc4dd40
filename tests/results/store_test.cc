#include "results/store.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "results/schema.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// The Error that opening gives.
std::string refusal(const std::string& path, Store::Mode mode) {
  return message_of([&] { Store(path, mode); });
}

constexpr Store::Mode kBothModes[] = {Store::Mode::read, Store::Mode::write};

// ---- exactly once ----

TEST_F(StoreTest, GivesBackTheOutcomeThatItTook) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(3)}));
  const std::int64_t lease = begin(store, trial(3));
  ASSERT_TRUE(store.record_outcome(outcome(trial(3), lease, {evaluation(kKde, 0.1 + 0.2)})));

  const SweepResults results = store.results();
  ASSERT_EQ(results.results.size(), 1u);
  const Result& one = results.results[0];
  EXPECT_EQ(one.trial_id, id_of(trial(3)));
  EXPECT_EQ(id_of(one.trial), id_of(trial(3)));
  EXPECT_EQ(one.status, OutcomeStatus::completed);
  EXPECT_EQ(one.evaluation->auroc, 0.1 + 0.2);
  EXPECT_EQ(one.evaluation->average_precision, 0.5);
  EXPECT_EQ(one.evaluation->fpr95, 0.25);
  EXPECT_EQ(one.evaluation->outliers, 100);
  EXPECT_EQ(one.evaluation->inliers, 10);
  EXPECT_EQ(one.request.split, Split::test);
  EXPECT_EQ(one.build, "build-1");
  EXPECT_EQ(one.data, "data-1");
  EXPECT_TRUE(results.missing.empty());
}

TEST_F(StoreTest, RefusesAnOutcomeWhoseLeaseIsStale) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t stale = begin(store, trial(0));
  store.end_attempt(stale, AttemptState::lost, "worker gone");
  EXPECT_FALSE(store.record_outcome(outcome(trial(0), stale, {evaluation(kKde, 0.9)})));
  EXPECT_FALSE(store.record_outcome(outcome(trial(0), 99, {evaluation(kKde, 0.9)})));
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM evaluation"), "0");
  EXPECT_EQ(cell_of(store, "SELECT state FROM attempt"), "lost");
}

TEST_F(StoreTest, RefusesAnOutcomeOfAnotherTrialThanItsLease) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0), trial(1)}));
  const std::int64_t lease = begin(store, trial(0));
  EXPECT_FALSE(store.record_outcome(outcome(trial(1), lease, {evaluation(kKde, 0.9)})));
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM outcome"), "0");
}

TEST_F(StoreTest, TakesTheSameOutcomeOnce) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t first = begin(store, trial(0)), second = begin(store, trial(0));
  EXPECT_TRUE(store.record_outcome(outcome(trial(0), first, {evaluation(kKde, 0.9)})));
  EXPECT_FALSE(store.record_outcome(outcome(trial(0), first, {evaluation(kKde, 0.9)})));
  EXPECT_FALSE(store.record_outcome(outcome(trial(0), second, {evaluation(kKde, 0.8)})));
  EXPECT_EQ(cell_of(store, "SELECT auroc FROM results"), "0.9");
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM results"), "1");
}

TEST_F(StoreTest, TheSchemaItselfAllowsOneUnretiredOutcomeATrial) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t first = begin(store, trial(0));
  begin(store, trial(0));
  ASSERT_TRUE(store.record_outcome(outcome(trial(0), first, {evaluation(kKde, 0.9)})));
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  EXPECT_THROW(other.exec("INSERT INTO outcome SELECT trial, 2, status, error, train_seconds, "
                          "evaluate_seconds, steps, data, recorded_at, NULL FROM outcome"),
               SQLite::Exception);
}

TEST_F(StoreTest, AnOutcomeThatCannotBeWrittenLeavesNothingBehind) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t lease = begin(store, trial(0));
  // The second score breaks the schema after the first was inserted.
  const Outcome broken = outcome(trial(0), lease, {evaluation(kKde, 0.9), evaluation(kGde, 1.5)});
  EXPECT_THROW(store.record_outcome(broken), Error);
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM outcome"), "0");
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM evaluation"), "0");
  EXPECT_EQ(cell_of(store, "SELECT state FROM attempt"), "running");
}

TEST_F(StoreTest, AProcessKilledBeforeItsCommitLeavesNothingBehind) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
  }
  const pid_t child = fork();
  if (child == 0) {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec(
        "BEGIN IMMEDIATE; INSERT INTO attempt(trial, number, state, host, device, build, "
        "libraries, deterministic, revision, started_at) SELECT id, 1, 'running', '', '', '', '', "
        "0, '', '' FROM trial");
    _exit(0);  // without commit or rollback
  }
  int status = 0;
  waitpid(child, &status, 0);
  const Store store(path_, Store::Mode::write);
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM attempt"), "0");
}

TEST_F(StoreTest, AFailedOutcomeEndsItsAttemptAndIsNoResult) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  Outcome failed = outcome(trial(0), begin(store, trial(0)), {});
  failed.status = OutcomeStatus::failed;
  failed.error = "no such augmentation";
  EXPECT_TRUE(store.record_outcome(failed));
  EXPECT_FALSE(store.record_outcome(failed));
  const auto history = store.histories(expansion({trial(0)}))[0];
  EXPECT_EQ(history.failed_attempts, 1);
  EXPECT_FALSE(history.outcome);
  EXPECT_TRUE(store.results().missing[0].failed);
  EXPECT_EQ(cell_of(store, "SELECT last_error FROM trials"), "no such augmentation");
}

TEST_F(StoreTest, ADivergedOutcomeIsFinal) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}, {kKde, kGde}));
  Outcome diverged = outcome(trial(0), begin(store, trial(0)), {});
  diverged.status = OutcomeStatus::diverged;
  diverged.error = "loss is nan at step 7";
  ASSERT_TRUE(store.record_outcome(diverged));
  EXPECT_TRUE(store.histories(expansion({trial(0)}, {kKde, kGde}))[0].missing.empty());
  EXPECT_FALSE(
      store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.9)})));
  const SweepResults results = store.results();
  ASSERT_EQ(results.results.size(), 2u);  // one a request
  EXPECT_FALSE(results.results[0].evaluation);
  EXPECT_EQ(results.results[1].request, kGde);
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM results WHERE status = 'diverged'"), "1");
}

// ---- a sweep that grows ----

TEST_F(StoreTest, AGrownEvaluationListAsksForAllScoresOfTheTrialAgain) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}, {kKde}));
  ASSERT_TRUE(
      store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.9)})));
  store.record_sweep(spec(), expansion({trial(0)}, {kGde}));

  const auto history = store.histories(expansion({trial(0)}, {kGde}))[0];
  EXPECT_EQ(history.outcome, OutcomeStatus::completed);
  EXPECT_EQ(history.missing, (std::vector<EvaluationRequest>{kGde, kKde}));
  EXPECT_EQ(history.unrecorded, std::vector<EvaluationRequest>{kGde});
  ASSERT_EQ(store.results().missing.size(), 1u);
  EXPECT_EQ(store.results().missing[0].evaluations, std::vector<EvaluationRequest>{kGde});

  ASSERT_TRUE(store.record_outcome(outcome(trial(0), begin(store, trial(0), "build-2"),
                                           {evaluation(kGde, 0.8), evaluation(kKde, 0.7)})));
  EXPECT_TRUE(store.histories(expansion({trial(0)}, {kGde, kKde}))[0].missing.empty());
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM outcome WHERE retired_at IS NOT NULL"), "1");
  const SweepResults results = store.results();
  ASSERT_EQ(results.results.size(), 1u);  // the sweep asks for gde alone
  EXPECT_EQ(results.results[0].evaluation->auroc, 0.8);
  EXPECT_EQ(results.results[0].build, "build-2");
}

TEST_F(StoreTest, AsksOnlyForScoresThatApplyToTheTrial) {
  const EvaluationRequest rotation{Features::logit, Classifier::rotation, {}};
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  const Expansion both = expansion({trial(0), canonical(rotating)}, {kKde, rotation});
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), both);
  const auto histories = store.histories(both);
  EXPECT_EQ(histories[0].missing, std::vector<EvaluationRequest>{kKde});
  EXPECT_EQ(histories[1].missing, (std::vector<EvaluationRequest>{kKde, rotation}));
}

TEST_F(StoreTest, ASecondSweepFindsTheTrialsOfTheFirst) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec("first"), expansion({trial(0), trial(1)}));
  ASSERT_TRUE(
      store.record_outcome(outcome(trial(1), begin(store, trial(1)), {evaluation(kKde, 0.9)})));
  store.record_sweep(spec("second"), expansion({trial(1), trial(2)}));
  EXPECT_EQ(store.sweeps(), (std::vector<std::string>{"second", "first"}));
  EXPECT_EQ(store.results().name, "second");
  EXPECT_EQ(store.results().results.size(), 1u);
  EXPECT_EQ(store.results("first").results[0].position, 1);
  store.record_sweep(spec("first"), expansion({trial(1)}));
  EXPECT_EQ(store.sweeps(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(StoreTest, KeepsTheTablesOfTheSpec) {
  Spec given = spec();
  TableSpec table;
  table.rows = {"batch_size"};
  table.columns = {"loss", "classifier"};
  table.where = {{"features", {"pool", "embed"}}};
  table.references = {{"untrained", {{"epochs", {"0"}}}}};
  table.caption = "Table 1";
  given.tables = {{"main", table}};
  Store store(path_, Store::Mode::write);
  store.record_sweep(given, expansion({trial(0)}));
  const auto tables = store.results().tables;
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(tables[0].first, "main");
  EXPECT_EQ(tables[0].second.rows, table.rows);
  EXPECT_EQ(tables[0].second.columns, table.columns);
  EXPECT_EQ(tables[0].second.where, table.where);
  EXPECT_EQ(tables[0].second.references[0].name, "untrained");
  EXPECT_EQ(tables[0].second.references[0].where, table.references[0].where);
  EXPECT_EQ(tables[0].second.caption, "Table 1");
}

// ---- together, and beside others ----

TEST_F(StoreTest, RecordsAllOfAGroupOrNothingAndWhatItHasOnlyOnce) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0), trial(1)}));
  const std::vector<Change> good{{AttemptBegun{id_of(trial(0)), 1, worker()}},
                                 {outcome(trial(0), 1, {evaluation(kKde, 0.9)})}};
  std::vector<Change> bad = good;
  bad.push_back({AttemptBegun{id_of(trial(1)), 2, worker()}});
  bad.push_back({outcome(trial(1), 2, {evaluation(kKde, 2)})});  // no AUROC
  EXPECT_THROW(store.record(bad), Error);
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM attempt"), "0");
  EXPECT_EQ(store.record(good), 1u);
  EXPECT_EQ(store.record(good), 0u);
  EXPECT_EQ(cell_of(store, "SELECT count(*) || state FROM attempt"), "1completed");
}

TEST_F(StoreTest, TellsALockOfAnotherFromOtherFaults) {
  Store store(path_, Store::Mode::write, Journal::rollback);
  store.record_sweep(spec(), expansion({trial(0)}));
  store.set_patience(std::chrono::milliseconds(1));
  const std::vector<Change> change{{AttemptBegun{id_of(trial(0)), 1, worker()}}};
  for (const char* lock : {"BEGIN IMMEDIATE", "BEGIN; SELECT * FROM sweep", "BEGIN EXCLUSIVE"}) {
    SQLite::Database other(path_, SQLite::OPEN_READWRITE);
    other.exec(lock);
    EXPECT_THROW(store.record(change), LockedError) << lock;
  }
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM attempt"), "0");
  store.record(change);
  EXPECT_EQ(cell_of(store, "SELECT count(*) FROM attempt"), "1");
}

TEST_F(StoreTest, RescuesWhatItHoldsWhereItsFileIsTaken) {
  for (const Journal journal : {Journal::wal, Journal::rollback}) {
    {
      Store store(path_, Store::Mode::write, journal);
      store.record_sweep(spec(), expansion({trial(0)}));
      const std::int64_t lease = begin(store, trial(0));
      EXPECT_EQ(store.displaced(), "");
      fs::remove(path_);
      std::ofstream(path_) << "another's";
      EXPECT_EQ(store.displaced(), path_);
      store.rescue();
      EXPECT_EQ(store.displaced(), "");
      EXPECT_EQ(store.path(), path_ + ".rescued");
      EXPECT_TRUE(store.record_outcome(outcome(trial(0), lease, {evaluation(kKde, 0.9)})));
      store.close();
    }
    EXPECT_EQ(Store(path_ + ".rescued", Store::Mode::read).status()[0].completed, 1);
    // Nothing of the old one's lies beside what has its name now.
    EXPECT_EQ(files(), (std::vector<std::string>{"occam.db", "occam.db.lock", "occam.db.rescued",
                                                 "occam.db.rescued.lock"}));
    fs::remove(path_);
    fs::remove(path_ + ".rescued");
  }
}

TEST_F(StoreTest, RescuesAllOrSaysThatItCannot) {
  Store store(path_, Store::Mode::write, Journal::rollback);
  store.record_sweep(spec(), expansion({trial(0)}));
  store.set_patience(std::chrono::milliseconds(1));
  {
    SQLite::Database other(path_, SQLite::OPEN_READWRITE);
    other.exec("BEGIN EXCLUSIVE");
    fs::remove(path_);
    EXPECT_THROW(store.rescue(), LockedError);
    EXPECT_EQ(files(), std::vector<std::string>{"occam.db.lock"});
  }
  EXPECT_EQ(store.path(), path_);
  store.rescue();
  EXPECT_EQ(store.path(), path_ + ".rescued");
  EXPECT_EQ(Store(store.path(), Store::Mode::read).status()[0].trials, 1);
}

TEST_F(StoreTest, NoticesThatItsFileWasMovedAndALinkToItPutInItsPlace) {
  const Store store(path_, Store::Mode::write);
  fs::rename(path_, path_ + ".moved");
  fs::create_symlink(path_ + ".moved", path_);
  EXPECT_EQ(store.displaced(), path_) << "the log and the lock lie beside the old name";
}

TEST_F(StoreTest, TakesARemovedLockAnewUnlessAnotherHasIt) {
  Store store(path_, Store::Mode::write);
  fs::remove(path_ + ".lock");
  EXPECT_EQ(store.displaced(), "");
  EXPECT_TRUE(is_written(path_));
  fs::remove(path_ + ".lock");
  const StoreLock other(path_);
  EXPECT_THAT(message_of([&] { store.displaced(); }), HasSubstr("writes it"));
}

// ---- resuming ----

TEST_F(StoreTest, AsksForBothSplitsOfATrialWithValidationAndKeepsThemApart) {
  Trial one = trial(0);
  one.validation = true;
  const Expansion all = expansion({canonical(one)});
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), all);
  ASSERT_EQ(store.histories(all)[0].missing.size(), 2);
  Evaluation held_out = evaluation(kKde, 0.5);
  held_out.request.split = Split::validation;
  const std::int64_t lease = begin(store, canonical(one));
  ASSERT_TRUE(
      store.record_outcome(outcome(canonical(one), lease, {evaluation(kKde, 0.75), held_out})));
  EXPECT_TRUE(store.histories(all)[0].missing.empty());
  const SweepResults found = store.results();
  ASSERT_EQ(found.results.size(), 2);
  EXPECT_EQ(found.results[0].request.split, Split::test);
  EXPECT_EQ(found.results[0].evaluation->auroc, 0.75);
  EXPECT_EQ(found.results[1].request.split, Split::validation);
  EXPECT_EQ(found.results[1].evaluation->auroc, 0.5);
}

TEST_F(StoreTest, TellsOfACollapseAndWhatBuildsMadeTheNumbers) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0), trial(1)}));
  Outcome collapsed = outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.5)});
  collapsed.collapsed = "no spread";
  collapsed.build = "b1+b2";
  ASSERT_TRUE(store.record_outcome(collapsed));
  ASSERT_TRUE(
      store.record_outcome(outcome(trial(1), begin(store, trial(1)), {evaluation(kKde, 0.75)})));
  const SweepResults found = store.results();
  ASSERT_EQ(found.results.size(), 2);
  EXPECT_EQ(found.results[0].collapsed, "no spread");
  EXPECT_EQ(found.results[0].build, "b1+b2");
  EXPECT_EQ(found.results[1].collapsed, "");
  EXPECT_NE(found.results[1].build, "b1+b2");
  EXPECT_EQ(store.status()[0].collapsed, 1);
  EXPECT_EQ(store.status()[0].completed, 2);
}

TEST_F(StoreTest, LeasesGrowOverTheLifeOfTheDatabase) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    EXPECT_EQ(begin(store, trial(0)), 1);
  }
  Store store(path_, Store::Mode::write);
  EXPECT_EQ(store.next_lease(), 2);
  begin(store, trial(0));
  EXPECT_EQ(store.next_lease(), 3);
  EXPECT_EQ(store.histories(expansion({trial(0)}))[0].leases, (std::vector<std::int64_t>{1, 2}));
}

TEST_F(StoreTest, EndsWhatADeadCoordinatorLeftRunningAndDoesNotCountIt) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    begin(store, trial(0));
  }
  Store store(path_, Store::Mode::write);
  EXPECT_EQ(cell_of(store, "SELECT state FROM attempt"), "interrupted");
  EXPECT_FALSE(store.record_outcome(outcome(trial(0), 1, {evaluation(kKde, 0.9)})));
  EXPECT_EQ(store.histories(expansion({trial(0)}))[0].failed_attempts, 0);
}

class DeadCoordinator : public StoreTest {
 protected:
  // Seconds that an attempt which began two days ago counts as lost, when its coordinator's lock is
  // as `leave` leaves it.
  double lost_when(const std::function<void(const std::filesystem::path& lock)>& leave) {
    {
      Store store(path_, Store::Mode::write);
      store.record_sweep(spec(), expansion({trial(0)}));
      begin(store, trial(0));
    }
    SQLite::Database(path_, SQLite::OPEN_READWRITE)
        .exec("UPDATE attempt SET started_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days')");
    leave(path_ + ".lock");
    Store store(path_, Store::Mode::write);
    begin(store, trial(0));
    return store.status()[0].wasted_seconds;
  }
  static std::filesystem::file_time_type in_hours(int hours) {
    return std::filesystem::file_time_type::clock::now() + std::chrono::hours(hours);
  }
};

TEST_F(DeadCoordinator, LivedUntilItHeldItsLockLast) {
  const auto lost = lost_when([](const auto& lock) { last_write_time(lock, in_hours(-47)); });
  EXPECT_NEAR(lost, 3600, 60);
}

TEST_F(DeadCoordinator, IsNotAliveInTheFuture) {
  const auto lost = lost_when([](const auto& lock) { last_write_time(lock, in_hours(48)); });
  EXPECT_NEAR(lost, 48 * 3600, 60);
}

TEST_F(DeadCoordinator, WithoutALockLivedUntilWhatItRecordedLast) {
  EXPECT_EQ(lost_when([](const auto& lock) { remove(lock); }), 0);
}

TEST_F(StoreTest, AWriterSaysNowAndThenThatItLives) {
  Store store(path_, Store::Mode::write);
  const std::filesystem::path lock = path_ + ".lock";
  const auto then = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  last_write_time(lock, then);
  EXPECT_EQ(store.displaced(), "");
  EXPECT_GT(last_write_time(lock), then + std::chrono::minutes(59));
}

TEST_F(StoreTest, AnAttemptThatEndedStaysAsItEnded) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t lease = begin(store, trial(0));
  store.end_attempt(lease, AttemptState::stopped, "");
  store.end_attempt(lease, AttemptState::failed, "late");
  EXPECT_EQ(cell_of(store, "SELECT state FROM attempt"), "stopped");
}

TEST_F(StoreTest, ALaterAttemptReplacesTheCurveThatItRepeats) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  const std::int64_t first = begin(store, trial(0));
  store.record_progress({{id_of(trial(0)), first, 1, 3, 2.0, 0.1, 0.01, 900},
                         {id_of(trial(0)), first, 2, 3, 1.5, 0.2, 0.01, 900}});
  store.end_attempt(first, AttemptState::lost, "");
  const std::int64_t second = begin(store, trial(0));
  store.record_progress({{id_of(trial(0)), second, 2, 3, 1.25, 0.2, 0.01, 900},
                         {id_of(trial(0)), first, 1, 3, 9.0, 0.0, 0.01, 900},
                         {id_of(trial(0)), second, 3, 3, std::nan(""), 0.2, 0.01, 900}});
  EXPECT_EQ(cell_of(store, "SELECT group_concat(coalesce(train_loss, 'none')) FROM curves"),
            "2.0,1.25,none");
}

TEST_F(StoreTest, TellsTheStatusOfEverySweep) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec("a"), expansion({trial(0), trial(1), trial(2), trial(3)}));
  store.record_sweep(spec("b"), expansion({trial(9)}));
  ASSERT_TRUE(
      store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.9)})));
  Outcome diverged = outcome(trial(1), begin(store, trial(1)), {});
  diverged.status = OutcomeStatus::diverged;
  ASSERT_TRUE(store.record_outcome(diverged));
  store.end_attempt(begin(store, trial(2)), AttemptState::failed, "x");
  begin(store, trial(3));
  const auto all = store.status();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "b");
  EXPECT_EQ(all[0].trials, 1);
  EXPECT_EQ(all[0].started_at, "");
  const SweepStatus& a = all[1];
  EXPECT_EQ(a.trials, 4);
  EXPECT_EQ(a.completed, 1);
  EXPECT_EQ(a.diverged, 1);
  EXPECT_EQ(a.failed, 1);
  EXPECT_EQ(a.running, 1);
  EXPECT_EQ(a.train_seconds, 16);
  EXPECT_EQ(a.evaluate_seconds, 4);
  EXPECT_GE(a.wasted_seconds, 0);
  EXPECT_EQ(a.started_at.size(), std::string("2026-01-01T00:00:00.000Z").size());
}

TEST_F(StoreTest, TellsWhatRunsFromWhatADeadCoordinatorLeft) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    begin(store, trial(0));
    EXPECT_EQ(store.status()[0].running, 1);
    EXPECT_EQ(Store(path_, Store::Mode::read).status()[0].running, 1);
  }
  const SweepStatus left = Store(path_, Store::Mode::read).status()[0];
  EXPECT_EQ(left.running, 0);
  EXPECT_EQ(left.interrupted, 1);
}

TEST_F(StoreTest, CountsAsWastedOnlyWhatNoLaterAttemptWentOnFrom) {
  const auto at = [](int second) {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000 + second));
  };
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
    store.end_attempt(begin(store, trial(0)), AttemptState::interrupted, "");  // lease 1
    store.end_attempt(begin(store, trial(0)), AttemptState::lost, "");         // 2, from 0
    store.begin_attempt(id_of(trial(0)), 3, worker(), ContinuedCheckpoint{1, at(60)});
    store.end_attempt(begin(store, trial(1)), AttemptState::stopped, "");  // 4: nothing is lost yet
    store.end_attempt(begin(store, trial(2)), AttemptState::failed, "");   // 5
  }
  // Lease n ran from n to n + 100 seconds.
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec(
          "UPDATE attempt SET started_at = strftime('%Y-%m-%dT%H:%M:%fZ', 1800000000 + lease, "
          "'unixepoch'), ended_at = CASE WHEN ended_at IS NOT NULL THEN "
          "strftime('%Y-%m-%dT%H:%M:%fZ', 1800000100 + lease, 'unixepoch') END");
  // 1: from its checkpoint at 60 to 101; 2: all 100; 5: all 100.
  EXPECT_NEAR(Store(path_, Store::Mode::read).status()[0].wasted_seconds, 41 + 100 + 100, 0.01);
}

TEST_F(StoreTest, OpensADatabaseOfAnOlderOccam) {
  std::ifstream dump(OCCAM_SOURCE_DIR "/tests/golden/database-1.sql");
  const std::string sql{std::istreambuf_iterator<char>(dump), {}};
  SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
  const auto check = [](const Store& store) {
    const SweepResults results = store.results();
    ASSERT_EQ(results.results.size(), 1u);
    EXPECT_EQ(results.results[0].evaluation->auroc, 0.75);
    EXPECT_EQ(results.results[0].collapsed, "");
    EXPECT_NEAR(store.status()[0].wasted_seconds, 60, 0.01);
  };
  check(Store(path_, Store::Mode::read));
  EXPECT_EQ(SQLite::Database(path_).execAndGet("PRAGMA user_version").getInt(), 1);
  check(Store(path_, Store::Mode::write));
  EXPECT_EQ(SQLite::Database(path_).execAndGet("PRAGMA user_version").getInt(), kSchemaVersion);
}

// ---- what it refuses, and what it says ----

TEST_F(StoreTest, RefusesAFolder) {
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(folder_.string(), mode),
                testing::AllOf(HasSubstr("is a folder"), HasSubstr("occam.db")));
}

TEST_F(StoreTest, RefusesAFileThatIsNoDatabaseAndLeavesItAlone) {
  std::ofstream(path_) << "a text that is long enough to be taken for something else";
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(path_, mode),
                testing::AllOf(HasSubstr(path_), HasSubstr("is not a database")));
  EXPECT_EQ(files(), std::vector<std::string>{"occam.db"});
}

TEST_F(StoreTest, RefusesAMissingFileWhenReadingAndSaysWhatMakesOne) {
  EXPECT_THAT(refusal(path_, Store::Mode::read),
              testing::AllOf(HasSubstr("no such file"), HasSubstr("occam run")));
  EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, RefusesAnEmptyFileWhenReadingAndFillsItWhenWriting) {
  std::ofstream(path_).flush();
  EXPECT_THAT(refusal(path_, Store::Mode::read),
              testing::AllOf(HasSubstr("is empty"), HasSubstr("occam run")));
  Store store(path_, Store::Mode::write);
  EXPECT_EQ(store.next_lease(), 1);
}

TEST_F(StoreTest, RefusesAMissingFolder) {
  EXPECT_THAT(refusal((folder_ / "none" / "x.db").string(), Store::Mode::write),
              testing::AllOf(HasSubstr("folder"), HasSubstr("none"), HasSubstr("does not exist"),
                             HasSubstr("create it")));
}

TEST_F(StoreTest, RefusesTheDatabaseOfAnotherProgram) {
  SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t(x)");
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(path_, mode), HasSubstr("another program"));
}

TEST_F(StoreTest, RefusesADatabaseOfANewerOccam) {
  { Store store(path_, Store::Mode::write); }
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(path_, mode),
                testing::AllOf(HasSubstr("newer occam"), HasSubstr("use that")));
}

TEST_F(StoreTest, RefusesADamagedDatabaseAndSaysHowToSaveIt) {
  {
    Store store(path_, Store::Mode::write);
    std::vector<Trial> many;
    for (int seed = 0; seed < 300; ++seed) many.push_back(trial(0, seed));
    store.record_sweep(spec(), expansion(many));
    store.close();
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20 * 4096);
  file << std::string(40 * 4096, 'x');
  file.close();
  EXPECT_THAT(refusal(path_, Store::Mode::write),
              testing::AllOf(HasSubstr("is damaged"),
                             HasSubstr("occam recover " + path_ + " recovered.db")));
}

TEST_F(StoreTest, ReadsWhatAWriterLeftThatDiedInAChange) {
  {
    Store store(path_, Store::Mode::write, Journal::rollback);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
  }
  const pid_t child = fork();
  if (child == 0) {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN");
    // So much that it goes to the file before the end.
    database.exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT "
        "INTO attempt(trial, number, state, host, device, build, revision, libraries, "
        "deterministic, started_at) SELECT (SELECT min(id) FROM trial), i, 'running', '', '', '', "
        "'', '', 0, '' FROM n");
    _exit(0);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(path_ + "-journal"));
  EXPECT_EQ(Store(path_, Store::Mode::read).status()[0].running, 0);
  EXPECT_FALSE(fs::exists(path_ + "-journal"));
}

TEST_F(StoreTest, RefusesANameThatIsNoneOrTooLongForWhatLiesBesideIt) {
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal("", mode), HasSubstr("the database has no name"));
  EXPECT_THAT(refusal((folder_ / std::string(250, 'n')).string(), Store::Mode::write),
              testing::AllOf(HasSubstr("has 250 bytes"), HasSubstr("may have 200")));
  EXPECT_TRUE(files().empty());
  Store((folder_ / std::string(200, 'n')).string(), Store::Mode::write);
}

TEST_F(StoreTest, RefusesNamesBesideWhichTheLockDoesNotLie) {
  { Store store(path_, Store::Mode::write); }
  const std::string link = path_ + ".link";
  fs::create_symlink(path_, link);
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(link, mode), testing::AllOf(HasSubstr("is a symbolic link"),
                                                    HasSubstr(fs::canonical(path_).string())));
  fs::remove(link);
  fs::create_hard_link(path_, link);
  for (const Store::Mode mode : kBothModes)
    EXPECT_THAT(refusal(path_, mode), HasSubstr("a second name"));
}

TEST_F(StoreTest, SaysThatATrialsTextIsDamagedWhereItCannotBeRead) {
  const Store store(path_, Store::Mode::write);
  const std::string text = to_json(trial(3)).dump();
  EXPECT_EQ(id_of(store.read_trial(text)), id_of(trial(3)));
  EXPECT_THAT(message_of([&] { store.read_trial(text.substr(0, 40) + "\xff\xff"); }),
              testing::AllOf(HasSubstr(path_), HasSubstr("is damaged")));
}

// What the step throws for a user who is not root and does not own the folder.
template <class Step>
std::string message_for_another_user(Step&& step) {
  int from_child[2];
  if (pipe(from_child) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string said = "root alone can become another user";
    if (geteuid() != 0 || setuid(65534) == 0) said = message_of(step);
    [[maybe_unused]] const ssize_t count = write(from_child[1], said.data(), said.size());
    _exit(0);
  }
  close(from_child[1]);
  char said[2000] = "";
  [[maybe_unused]] const ssize_t count = read(from_child[0], said, sizeof said - 1);
  close(from_child[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return said;
}

TEST_F(StoreTest, RefusesFilesAndFoldersThatItMayNotWrite) {
  { Store store(path_, Store::Mode::write); }
  fs::permissions(folder_, fs::perms(0777));
  fs::permissions(path_, fs::perms(0444));
  const auto write = [&] { Store(path_, Store::Mode::write); };
  const auto read = [&] { Store(path_, Store::Mode::read); };
  EXPECT_THAT(message_for_another_user(write),
              testing::AllOf(HasSubstr("cannot be written"), HasSubstr("write permission")));
  fs::permissions(path_, fs::perms(0));
  EXPECT_THAT(message_for_another_user(read), HasSubstr("cannot be read: Permission denied"));
  fs::permissions(path_, fs::perms(0666));
  fs::permissions(folder_, fs::perms(0555));
  EXPECT_THAT(message_for_another_user(write),
              testing::AllOf(HasSubstr("its folder"), HasSubstr("cannot be written")));
  fs::permissions(folder_, fs::perms(0777));
}

TEST(StoreErrors, NameTheRemedyOfAFullDisk) {
  const std::string said =
      message_of([] { throw_store_error("occam.db", 13 /* SQLITE_FULL */, "full"); });
  EXPECT_NE(said.find("occam.db: the disk is full"), std::string::npos) << said;
  EXPECT_NE(said.find("run the same command again"), std::string::npos) << said;
}

TEST_F(StoreTest, NamesTheSweepsThatThereAre) {
  Store store(path_, Store::Mode::write);
  EXPECT_THAT(message_of([&] { store.results(); }),
              testing::AllOf(HasSubstr("no sweep yet"), HasSubstr("occam run")));
  store.record_sweep(spec("batch-size"), expansion({trial(0)}));
  EXPECT_THAT(message_of([&] { store.results("bach-size"); }),
              HasSubstr("did you mean 'batch-size'?"));
}

TEST_F(StoreTest, ASecondWriterIsToldWhoTheFirstIs) {
  Store store(path_, Store::Mode::write);
  const std::string process = "process " + std::to_string(getpid());
  int from_child[2];
  ASSERT_EQ(pipe(from_child), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string said = message_of([&] { Store(path_, Store::Mode::write); });
    [[maybe_unused]] const ssize_t count = write(from_child[1], said.data(), said.size());
    _exit(0);
  }
  char said[1000] = "";
  EXPECT_GT(read(from_child[0], said, sizeof said - 1), 0);
  int status = 0;
  waitpid(child, &status, 0);
  close(from_child[0]);
  close(from_child[1]);
  EXPECT_NE(std::string(said).find(process), std::string::npos) << said;
  EXPECT_NE(std::string(said).find("kill"), std::string::npos) << said;
}

TEST_F(StoreTest, TheLockDiesWithItsHolder) {
  const pid_t child = fork();
  if (child == 0) {
    new Store(path_, Store::Mode::write);  // never closed
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_NO_THROW(Store(path_, Store::Mode::write));
}

// ---- reading ----

TEST_F(StoreTest, ReadsWhileAWriterWritesAndTakesNoLock) {
  Store writer(path_, Store::Mode::write);
  writer.record_sweep(spec(), expansion({trial(0), trial(1)}));
  const Store reader(path_, Store::Mode::read);
  EXPECT_EQ(reader.results().missing.size(), 2u);
  ASSERT_TRUE(
      writer.record_outcome(outcome(trial(0), begin(writer, trial(0)), {evaluation(kKde, 0.9)})));
  EXPECT_EQ(reader.results().results.size(), 1u);
}

TEST_F(StoreTest, ReadingLeavesNoFileBehind) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
  }
  fs::remove(path_ + ".lock");
  EXPECT_EQ(Store(path_, Store::Mode::read).results().missing.size(), 1u);
  EXPECT_EQ(files(), std::vector<std::string>{"occam.db"});
}

TEST_F(StoreTest, ReadsAReadOnlyFileInAReadOnlyFolder) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
  }
  fs::permissions(path_, fs::perms(0444));
  fs::permissions(folder_, fs::perms(0555));
  EXPECT_EQ(message_for_another_user([&] {
              if (Store(path_, Store::Mode::read).results().missing.size() != 1)
                throw Error("missing");
            }),
            "no error");
  fs::permissions(folder_, fs::perms(0777));
}

TEST_F(StoreTest, ReadsWhatAKilledWriterCommitted) {
  const pid_t child = fork();
  if (child == 0) {
    Store* store = new Store(path_, Store::Mode::write, Journal::wal);
    store->record_sweep(spec(), expansion({trial(0)}));
    _exit(0);  // the log still holds it all
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(fs::exists(path_ + "-wal"));
  EXPECT_EQ(Store(path_, Store::Mode::read).results().missing.size(), 1u);
}

// ---- journal ----

TEST_F(StoreTest, HasAWriteAheadLogOnALocalDiskAloneUnlessTold) {
  EXPECT_FALSE(is_on_local_disk("/proc")) << "a file system that is not known to be a disk's";
  EXPECT_FALSE(is_on_local_disk(folder_ / "no-such-folder"));
  {
    const Store store(path_, Store::Mode::write);
    EXPECT_EQ(store.journal() == Journal::wal, is_on_local_disk(folder_));
  }
  {
    Store store(path_, Store::Mode::write, Journal::rollback);
    store.record_sweep(spec(), expansion({trial(0)}));
    EXPECT_EQ(store.journal(), Journal::rollback);
    EXPECT_FALSE(fs::exists(path_ + "-wal"));
  }
  Store store(path_, Store::Mode::write, Journal::wal);
  EXPECT_EQ(store.journal(), Journal::wal);
  EXPECT_TRUE(fs::exists(path_ + "-wal"));
}

TEST_F(StoreTest, ReadsAPathThatAUriWouldMisread) {
  const std::string odd = (folder_ / "100% a?b#c.db").string();
  {
    Store store(odd, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
  }
  EXPECT_EQ(Store(odd, Store::Mode::read).results().missing.size(), 1u);
}

TEST_F(StoreTest, AfterCloseTheOneFileHoldsEverything) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec(), expansion({trial(0)}));
  store.close();
  EXPECT_EQ(files(), (std::vector<std::string>{"occam.db", "occam.db.lock"}));
  const std::string copy = (folder_ / "copy.db").string();
  fs::copy_file(path_, copy);
  EXPECT_EQ(Store(copy, Store::Mode::read).results().missing.size(), 1u);
  store.record_sweep(spec("more"), expansion({trial(1)}));
  EXPECT_EQ(store.sweeps().size(), 2u);
}

}  // namespace
}  // namespace occam
