#include "results/merge.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "results/open_database.h"
#include "results/schema.h"
#include "results/spool.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MergeTest : public StoreTest {
 protected:
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  // A file of a sweep over the trials, of which some are done, each with one score.
  std::string shard(const std::string& name, const std::vector<Trial>& plan,
                    const std::vector<std::pair<Trial, double>>& done,
                    const std::string& build = "build-1") const {
    Store store(file(name), Store::Mode::write);
    store.record_sweep(spec(), expansion(plan));
    for (const auto& [one, auroc] : done) {
      const std::int64_t lease = begin(store, one, build);
      store.record_progress({{id_of(one), lease, 1, 2, 0.5, auroc, 0.01, 100}});
      EXPECT_TRUE(store.record_outcome(outcome(one, lease, {evaluation(kKde, auroc)})));
    }
    store.close();
    // Attempts of several files at the very same moment are one to a merge; these are not.
    change(name, "UPDATE attempt SET host = '" + name + "'");
    return file(name);
  }
  void change(const std::string& name, const std::string& sql) const {
    SQLite::Database(file(name), SQLite::OPEN_READWRITE).exec(sql);
  }
  std::vector<MergedShard> merge(const std::vector<std::string>& shards,
                                 MergeRule rule = MergeRule::refuse) const {
    Store store(path_, Store::Mode::write);
    auto merged = store.merge(shards, rule);
    store.close();
    return merged;
  }
  std::string ask(const std::string& sql) const {
    return cell_of(Store(path_, Store::Mode::read), sql);
  }
  // Everything in the file, as text.
  std::string content() const {
    const Store store(path_, Store::Mode::read);
    std::string all;
    for (const char* table :
         {"sweep", "request", "trial", "sweep_trial", "attempt", "outcome", "evaluation", "epoch"})
      for (const Row& row : store.query(std::string("SELECT * FROM ") + table).values)
        all += nlohmann::json(row).dump() + "\n";
    return all;
  }

  const std::vector<Trial> plan_{trial(0), trial(1), trial(2), trial(3)};
};

TEST_F(MergeTest, JoinsTheShardsOfASweep) {
  const auto merged = merge({shard("a.db", plan_, {{trial(0), 0.5}, {trial(2), 0.7}}),
                             shard("b.db", plan_, {{trial(1), 0.6}, {trial(3), 0.8}})});
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_EQ(merged[0].outcomes, 2);
  EXPECT_EQ(merged[1].outcomes, 2);
  EXPECT_EQ(merged[0].sweeps, 1);
  EXPECT_EQ(merged[1].sweeps, 0);
  const SweepResults results = Store(path_, Store::Mode::read).results();
  EXPECT_TRUE(results.missing.empty());
  std::vector<double> scores;
  for (const Result& one : results.results) scores.push_back(one.evaluation->auroc);
  EXPECT_THAT(scores, ElementsAre(0.5, 0.6, 0.7, 0.8));
}

TEST_F(MergeTest, GivesTheViewsThatOneRunWouldHaveGiven) {
  merge({shard("a.db", plan_, {{trial(0), 0.5}, {trial(2), 0.7}}),
         shard("b.db", plan_, {{trial(1), 0.6}, {trial(3), 0.8}})});
  const std::string whole = shard(
      "whole.db", plan_, {{trial(0), 0.5}, {trial(1), 0.6}, {trial(2), 0.7}, {trial(3), 0.8}});
  const Store one(whole, Store::Mode::read), joined_one(path_, Store::Mode::read);
  for (const char* sql :
       {"SELECT * FROM results ORDER BY trial", "SELECT * FROM curves ORDER BY trial",
        "SELECT position, trial, state, attempts FROM trials ORDER BY position"})
    EXPECT_EQ(nlohmann::json(one.query(sql).values), nlohmann::json(joined_one.query(sql).values))
        << sql;
}

TEST_F(MergeTest, KeepsWhereAndWhenEveryAttemptRan) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}}, "build-a");
  const std::string b = shard("b.db", plan_, {{trial(1), 0.6}}, "build-b");
  change("b.db",
         "UPDATE attempt SET started_at = '2020-01-01T00:00:00.000Z'; UPDATE outcome SET "
         "recorded_at = '2020-01-02T00:00:00.000Z'");
  merge({a, b});
  EXPECT_EQ(
      ask("SELECT host || ' ' || build || ' ' || started_at || ' ' || recorded_at FROM attempt "
          "a JOIN outcome o ON o.trial = a.trial WHERE a.trial = '" +
          id_of(trial(1)) + "'"),
      "b.db build-b 2020-01-01T00:00:00.000Z 2020-01-02T00:00:00.000Z");
  EXPECT_EQ(ask("SELECT group_concat(lease) FROM (SELECT lease FROM attempt ORDER BY lease)"),
            "1,2");
}

TEST_F(MergeTest, CountsATrialWithEqualResultsOnce) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {{trial(0), 0.5}, {trial(1), 0.6}});
  const auto merged = merge({a, b});
  EXPECT_EQ(merged[1].equal, 1);
  EXPECT_EQ(merged[1].outcomes, 1);
  EXPECT_EQ(ask("SELECT count(*) FROM results"), "2");
  EXPECT_EQ(ask("SELECT count(*) FROM outcome WHERE retired_at IS NOT NULL"), "1");
  EXPECT_EQ(ask("SELECT host FROM trials WHERE trial = '" + id_of(trial(1)) + "'"), "b.db");
}

TEST_F(MergeTest, RefusesDifferentResultsAndLeavesTheFileAsItWas) {
  shard("occam.db", plan_, {{trial(3), 0.9}});
  const std::string before = content();
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}, {trial(1), 0.6}});
  const std::string b = shard("b.db", plan_, {{trial(0), 0.75}, {trial(2), 0.7}});
  const std::string said = message_of([&] { merge({a, b}); });
  EXPECT_THAT(said, HasSubstr("nothing was merged"));
  EXPECT_THAT(said, HasSubstr("b.db: trial " + id_of(trial(0))));
  EXPECT_THAT(said, HasSubstr("AUROC of test pool kde {} 0.5 and 0.75"));
  EXPECT_THAT(said, HasSubstr("--keep first"));
  EXPECT_EQ(content(), before);
}

TEST_F(MergeTest, NamesEveryConflictUpToAFew) {
  std::vector<Trial> many;
  std::vector<std::pair<Trial, double>> low, high;
  for (std::int64_t i = 0; i < 8; ++i) {
    many.push_back(trial(i));
    low.emplace_back(trial(i), 0.25);
    high.emplace_back(trial(i), 0.75);
  }
  const std::string said = message_of([&] {
    merge({shard("a.db", many, low), shard("b.db", many, high)});
  });
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 7);
  EXPECT_THAT(said, HasSubstr("and 3 more"));
}

TEST_F(MergeTest, KeepsWhatTheRuleSaysAndRetiresTheOther) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {{trial(0), 0.75}});
  change("a.db", "UPDATE outcome SET recorded_at = '2020-01-02T00:00:00.000Z'");
  change("b.db", "UPDATE outcome SET recorded_at = '2020-01-01T00:00:00.000Z'");
  const std::vector<std::pair<MergeRule, std::vector<std::string>>> first_wins{
      {MergeRule::first, {a, b}}, {MergeRule::latest, {a, b}}, {MergeRule::latest, {b, a}}};
  for (const auto& [rule, order] : first_wins) {
    std::filesystem::remove(path_);
    const auto merged = merge(order, rule);
    EXPECT_EQ(merged[1].differences.size(), 1u);
    EXPECT_EQ(ask("SELECT auroc FROM results"), "0.5");
    EXPECT_EQ(ask("SELECT train_loss || ' ' || accuracy FROM curves"), "0.5 0.5");
    EXPECT_EQ(
        ask("SELECT auroc FROM evaluation JOIN outcome USING (trial, attempt) WHERE retired_at "
            "IS NOT NULL"),
        "0.75");
  }
  std::filesystem::remove(path_);
  merge({b, a}, MergeRule::first);
  EXPECT_EQ(ask("SELECT auroc FROM results"), "0.75");
}

TEST_F(MergeTest, ADivergedAndAFinishedTrialDiffer) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {{trial(0), 0.5}});
  change("b.db", "UPDATE outcome SET status = 'diverged'");
  EXPECT_THAT(message_of([&] { merge({a, b}); }), HasSubstr("completed and diverged"));
}

TEST_F(MergeTest, TakesTheOutcomeThatHasMoreScores) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {{trial(0), 0.5}});
  change("b.db",
         "INSERT INTO evaluation SELECT trial, attempt, split, features, 'gde', parameters, "
         "0.25, 0, 0, 1, 1, 1 FROM evaluation");
  merge({a, b});
  EXPECT_EQ(ask("SELECT count(*) FROM evaluation JOIN outcome USING (trial, attempt) WHERE "
                "retired_at IS NULL"),
            "2");
  change("a.db",
         "INSERT INTO evaluation SELECT trial, attempt, split, features, 'nearest', "
         "parameters, 0.25, 0, 0, 1, 1, 1 FROM evaluation");
  std::filesystem::remove(path_);
  EXPECT_THAT(message_of([&] {
                merge({a, b});
              }),
              HasSubstr("each has scores that the other lacks"));
}

TEST_F(MergeTest, AFileThatWasTakenInBeforeBringsNothing) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}, {trial(2), 0.7}});
  const std::string b = shard("b.db", plan_, {{trial(1), 0.6}});
  merge({a, b});
  const std::string before = content();
  const auto again = merge({a, b});
  EXPECT_EQ(again[0].attempts + again[0].outcomes + again[1].attempts + again[1].outcomes, 0);
  EXPECT_EQ(again[0].equal, 2);
  EXPECT_EQ(content(), before);
}

TEST_F(MergeTest, WhatWasForgottenSinceDoesNotComeBack) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}, {trial(2), 0.7}});
  merge({a});
  EXPECT_EQ(Store(path_, Store::Mode::write).forget({id_of(trial(2))}, ""), 1u);
  EXPECT_EQ(merge({a})[0].outcomes, 0);
  EXPECT_EQ(ask("SELECT group_concat(auroc) FROM results"), "0.5");
  // Run again, it counts, though the old one lies retired beside it.
  merge({a, shard("b.db", plan_, {{trial(2), 0.7}})});
  EXPECT_EQ(ask("SELECT group_concat(auroc) FROM (SELECT auroc FROM results ORDER BY auroc)"),
            "0.5,0.7");
}

TEST_F(MergeTest, AShardThatWentOnBringsHowItsAttemptsEnded) {
  {
    Store store(file("a.db"), Store::Mode::write);
    store.record_sweep(spec(), expansion(plan_));
    const std::int64_t lease = begin(store, trial(0));
    std::filesystem::copy_file(file("a.db"), file("early.db"));
    std::filesystem::copy_file(file("a.db-wal"), file("early.db-wal"));
    store.record_outcome(outcome(trial(0), lease, {evaluation(kKde, 0.5)}));
    store.close();
  }
  merge({file("early.db")});
  EXPECT_EQ(ask("SELECT state FROM attempt"), "interrupted");
  EXPECT_EQ(ask("SELECT ended_at = started_at FROM attempt"), "1") << "nothing later is known";
  // The same again, whatever has touched the file meanwhile.
  std::ofstream(file("early.db.lock")) << "";
  merge({file("early.db")});
  EXPECT_EQ(ask("SELECT ended_at = started_at FROM attempt"), "1");
  merge({file("a.db")});
  EXPECT_EQ(ask("SELECT group_concat(state) FROM attempt"), "completed");
  EXPECT_EQ(ask("SELECT auroc FROM results"), "0.5");
}

TEST_F(MergeTest, CancelsWhatAnyFileHasCancelledAndNoneHasDoneInAnyOrder) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}}), b = shard("b.db", plan_, {});
  EXPECT_EQ(Store(b, Store::Mode::write).cancel({id_of(trial(0)), id_of(trial(1))}), 2u);
  for (const auto& order : {std::vector{a, b}, {b, a}}) {
    remove_database(path_);
    merge(order);
    EXPECT_EQ(ask("SELECT group_concat(state) FROM (SELECT state FROM trials ORDER BY position)"),
              "completed,cancelled,waiting,waiting");
    EXPECT_EQ(ask("SELECT count(*) FROM sweep_trial WHERE cancelled_at IS NOT NULL"), "1");
  }
  merge({shard("c.db", plan_, {{trial(1), 0.6}})});
  EXPECT_EQ(ask("SELECT count(*) FROM sweep_trial WHERE cancelled_at IS NOT NULL"), "0");
}

TEST_F(MergeTest, TakesInADifferentSweepBesideTheFirst) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  {
    Store store(file("b.db"), Store::Mode::write);
    store.record_sweep(spec("other"), expansion({trial(0), trial(7)}));
    store.close();
  }
  merge({a, file("b.db")});
  const Store store(path_, Store::Mode::read);
  EXPECT_THAT(store.sweeps(), ElementsAre("other", "sweep"));
  EXPECT_EQ(store.results("other").results.size(), 1u);
}

TEST_F(MergeTest, RefusesTwoPlansUnderOneNameUnlessTheRuleChooses) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", {trial(0), trial(9)}, {{trial(9), 0.75}});
  change("b.db", "UPDATE sweep SET recorded_at = '2999-01-01T00:00:00.000Z'");
  EXPECT_THAT(message_of([&] {
                merge({a, b});
              }),
              HasSubstr("its sweep 'sweep' plans something else"));
  std::filesystem::remove(path_);
  merge({a, b}, MergeRule::first);
  EXPECT_EQ(ask("SELECT count(*) FROM trials"), "4");
  EXPECT_EQ(ask("SELECT count(*) FROM outcome"), "2");
  std::filesystem::remove(path_);
  merge({a, b}, MergeRule::latest);
  EXPECT_EQ(ask("SELECT count(*) FROM trials"), "2");
  EXPECT_EQ(ask("SELECT group_concat(auroc) FROM (SELECT auroc FROM results ORDER BY auroc)"),
            "0.5,0.75");
}

TEST_F(MergeTest, TakesTheLaterPlanOfASpecThatHasGrown) {
  const std::vector<Trial> grown{trial(9), trial(0), trial(1), trial(2), trial(3)};
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  merge({a});
  const std::string b = shard("b.db", grown, {{trial(9), 0.75}});
  {
    Store store(file("c.db"), Store::Mode::write);  // more scores of the same trials
    store.record_sweep(spec(), expansion(plan_, {kKde, kGde}));
    store.close();
  }
  change("b.db", "UPDATE sweep SET recorded_at = '2998-01-01T00:00:00.000Z'");
  change("c.db", "UPDATE sweep SET recorded_at = '2999-01-01T00:00:00.000Z'");
  for (const auto& order : {std::vector{a, b}, {b, a}}) {
    merge(order);
    EXPECT_EQ(ask("SELECT count(*) FROM trials"), "5");
    EXPECT_EQ(ask("SELECT trial FROM trials WHERE position = 0"), id_of(trial(9)));
    EXPECT_EQ(ask("SELECT count(*) FROM results"), "2");
  }
  EXPECT_THAT(message_of([&] { merge({file("c.db")}); }), HasSubstr("plans something else"))
      << "more scores but fewer trials";
  std::filesystem::remove(path_);
  merge({a, file("c.db")});
  EXPECT_EQ(ask("SELECT count(*) FROM request"), "2");
}

TEST_F(MergeTest, ALaterSpecThatLeavesTrialsOutIsNoneThatHasGrown) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {});
  {
    Store store(b, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    store.close();
  }
  change("b.db", "UPDATE sweep SET recorded_at = '2999-01-01T00:00:00.000Z'");
  for (const auto& order : {std::vector{a, b}, {b, a}})
    EXPECT_THAT(message_of([&] { merge(order); }), HasSubstr("plans something else"));
}

TEST_F(MergeTest, RefusesAFileThatSomebodyWrites) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const Store writer(a, Store::Mode::write);
  EXPECT_THAT(message_of([&] { merge({a}); }), HasSubstr("a.db: process"));
}

TEST_F(MergeTest, NumbersTheAttemptsThatOthersContinueAnew) {
  const std::string first = shard("a.db", {trial(0)}, {{trial(0), 0.9}});
  {
    Store store(file("b.db"), Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(1), trial(2)}));
    const std::int64_t ended = begin(store, trial(1));  // lease 1, as that of the first file
    store.end_attempt(ended, AttemptState::stopped, "");
    begin(store, trial(2));
    const std::int64_t next = store.next_lease();
    store.begin_attempt(id_of(trial(1)), next, worker(),
                        ContinuedCheckpoint{ended, std::chrono::system_clock::now()});
    ASSERT_TRUE(store.record_outcome(outcome(trial(1), next, {evaluation(kKde, 0.8)})));
    store.close();
  }
  merge({first, file("b.db")}, MergeRule::latest);
  const Store merged(path_, Store::Mode::read);
  EXPECT_EQ(
      cell_of(merged,
              "SELECT count(*) || ' ' || (b.trial = a.trial) || ' ' || a.state FROM attempt b "
              "JOIN attempt a ON a.lease = b.continued"),
      "1 1 stopped");
}

TEST_F(MergeTest, RefusesAFileBesideWhichOutcomesWait) {
  const std::string first = shard("a.db", {trial(0)}, {{trial(0), 0.9}});
  Spool(first).keep({{outcome(trial(0), 1, {evaluation(kKde, 0.9)})}});
  const std::string problem = message_of([&] { merge({first}); });
  EXPECT_THAT(problem, HasSubstr("a.db: 1 of its outcomes could not be written"));
  Spool(first).clear();
  EXPECT_EQ(merge({first}).at(0).outcomes, 1);
}

TEST_F(MergeTest, RefusesItselfATwinAndAFileThatIsNotThere) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  EXPECT_THAT(message_of([&] { merge({a, a}); }), HasSubstr("named twice"));
  shard("occam.db", plan_, {});
  EXPECT_THAT(message_of([&] { merge({path_}); }), HasSubstr("both what is merged and"));
  EXPECT_THAT(message_of([&] { merge({a, file("none.db")}); }), HasSubstr("none.db: no such file"));
  EXPECT_EQ(ask("SELECT count(*) FROM outcome"), "0");
}

TEST_F(MergeTest, AFileOfAnOlderOccamBringsWhatItHas) {
  const std::string a = shard("a.db", plan_, {{trial(0), 0.5}});
  const std::string b = shard("b.db", plan_, {{trial(1), 0.75}});
  change("b.db", "UPDATE trial SET config = json_remove(config, '$.momentum')");
  merge({a, b});
  EXPECT_EQ(ask("SELECT group_concat(auroc) FROM (SELECT auroc FROM results ORDER BY auroc)"),
            "0.5,0.75");
  change("b.db", "UPDATE trial SET config = json_set(config, '$.batch_size', 512)");
  EXPECT_THAT(message_of([&] { merge({b}); }), HasSubstr("changed by hand"));
}

// A table that the merge forgets would lose its rows without a word.
TEST_F(MergeTest, LeavesNoTableOut) {
  shard("occam.db", plan_, {});
  EXPECT_EQ(ask("SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = "
                "'table' AND name NOT LIKE 'sqlite_%' ORDER BY name)"),
            "attempt epoch evaluation outcome request sweep sweep_trial tally trial");
}

}  // namespace
}  // namespace occam
