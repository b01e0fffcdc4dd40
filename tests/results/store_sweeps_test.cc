#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>

#include "tests/results/sample.h"

namespace occam {
namespace {

using Ids = std::vector<std::string>;

// A finished trial and two that wait, of the sweep "sweep".
class Sweeps : public StoreTest {
 protected:
  Sweeps() : store_(path_, Store::Mode::write) {
    store_.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
    store_.record_outcome(outcome(trial(0), begin(store_, trial(0)), {evaluation(kKde, 0.9)}));
  }
  std::string cell(const std::string& sql) const { return cell_of(store_, sql); }
  TrialHistory history(const Trial& one) const {
    return store_.histories(expansion({one}), "sweep")[0];
  }
  void fail(const Trial& one) { store_.end_attempt(begin(store_, one), AttemptState::failed, "x"); }

  Store store_;
};

TEST_F(Sweeps, SayWhatAChangedSpecKeepsAddsAndOrphans) {
  const SweepDrift drift = store_.drift(spec(), expansion({trial(1), trial(2), trial(3)}));
  EXPECT_TRUE(drift.changed());
  EXPECT_EQ(drift.kept, 2u);
  EXPECT_EQ(drift.added, 1u);
  EXPECT_EQ(drift.orphaned, 1u);
  EXPECT_EQ(drift.orphaned_outcomes, 1u);
  EXPECT_EQ(drift.added_examples, Ids{identity(trial(3))});
  EXPECT_EQ(drift.orphaned_examples, Ids{identity(trial(0))});
  EXPECT_FALSE(store_.drift(spec("other"), expansion({trial(7)})).known);
  EXPECT_FALSE(store_.drift(spec(), expansion({trial(2), trial(1), trial(0)})).changed());
}

TEST_F(Sweeps, SayOfHowManyKeptTrialsASpecAsksForFewerScores) {
  const std::vector<Trial> same{trial(0), trial(1), trial(2)};
  const SweepDrift other = store_.drift(spec(), expansion(same, {kGde}));
  EXPECT_EQ(other.fewer_scores, 3u);
  EXPECT_TRUE(other.changed());
  EXPECT_FALSE(other.only_adds());
  const SweepDrift more = store_.drift(spec(), expansion(same, {kGde, kKde}));
  EXPECT_EQ(more.fewer_scores, 0u);
  EXPECT_TRUE(more.only_adds());
  EXPECT_FALSE(store_.drift(spec(), expansion({trial(0)}, {kGde, kKde})).only_adds());
}

TEST_F(Sweeps, KeepOrphansWithTheirResultsOutOfTheSweep) {
  for (const std::int64_t seed : {1, 2, 3})  // again and again
    store_.record_sweep(spec(), expansion({trial(1), trial(3, seed)}, {kGde}));
  EXPECT_EQ(store_.status()[0].trials, 2);
  EXPECT_TRUE(store_.results().results.empty());
  EXPECT_EQ(cell("SELECT count(*) FROM results"), "0");
  EXPECT_EQ(cell("SELECT count(*) FROM trials"), "2");
  const SweepResults all = store_.results("", true);
  ASSERT_EQ(all.results.size(), 1u);
  EXPECT_EQ(all.results[0].trial_id, id_of(trial(0)));
  EXPECT_EQ(all.results[0].evaluation->auroc, 0.9);
  EXPECT_EQ(all.missing.size(), 2u + 3u);
  // The spec that had it makes it a part of the sweep again.
  store_.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
  EXPECT_EQ(store_.results().results.size(), 1u);
}

TEST_F(Sweeps, RecordedAgainUnchangedAreTheSame) {
  store_.record_sweep(spec("later"), expansion({trial(5)}));
  EXPECT_EQ(store_.sweeps(), (Ids{"later", "sweep"}));
  const std::string before = cell("SELECT group_concat(trial || position) FROM sweep_trial");
  store_.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
  EXPECT_EQ(store_.sweeps(), (Ids{"sweep", "later"}));
  EXPECT_EQ(cell("SELECT group_concat(trial || position) FROM sweep_trial"), before);
}

TEST_F(Sweeps, RetryGivesAFailedTrialAllItsAttemptsAgain) {
  fail(trial(1));
  fail(trial(1));
  EXPECT_EQ(history(trial(1)).failed_attempts, 2);
  EXPECT_EQ(store_.status()[0].failed, 1);
  EXPECT_EQ(store_.retry({id_of(trial(1)), id_of(trial(2))}), 1u);
  EXPECT_EQ(history(trial(1)).failed_attempts, 0);
  EXPECT_EQ(history(trial(1)).leases.size(), 2u) << "their checkpoints may still be continued";
  EXPECT_EQ(store_.status()[0].failed, 0);
  EXPECT_EQ(cell("SELECT state FROM trials WHERE trial = '" + id_of(trial(1)) + "'"), "waiting");
  fail(trial(1));
  EXPECT_EQ(history(trial(1)).failed_attempts, 1);
}

TEST_F(Sweeps, RetryRunsADivergedTrialAgain) {
  Outcome diverged = outcome(trial(1), begin(store_, trial(1)), {});
  diverged.status = OutcomeStatus::diverged;
  ASSERT_TRUE(store_.record_outcome(diverged));
  EXPECT_EQ(store_.retry({id_of(trial(1))}), 1u);
  EXPECT_FALSE(history(trial(1)).outcome);
  EXPECT_EQ(cell("SELECT count(*) FROM outcome"), "2") << "what diverged stays, retired";
}

TEST_F(Sweeps, KnowWhichTrialsHaveNoOutcomeThatCounts) {
  fail(trial(1));
  EXPECT_EQ(store_.without_outcome({id_of(trial(2)), id_of(trial(0)), id_of(trial(1))}),
            (Ids{id_of(trial(2)), id_of(trial(1))}));
  store_.forget({id_of(trial(0))}, "");
  EXPECT_EQ(store_.without_outcome({id_of(trial(0))}), Ids{id_of(trial(0))});
}

TEST_F(Sweeps, GiveTheirTrialsInWhateverOrderTheyWereWritten) {
  Spec other = spec();
  other.name = "other";
  const std::vector<Trial> order{trial(2), trial(5), trial(0), trial(1), trial(4)};
  store_.record_sweep(other, expansion(order));
  const SweepResults results = store_.results("other");
  ASSERT_EQ(results.results.size(), 1u);
  EXPECT_EQ(results.results[0].trial_id, id_of(trial(0)));
  EXPECT_EQ(results.results[0].position, 2);
  ASSERT_EQ(results.missing.size(), 4u);
  for (const Missing& one : results.missing) {
    const Trial& planned = order[static_cast<std::size_t>(one.position)];
    EXPECT_EQ(one.trial_id, id_of(planned));
    EXPECT_EQ(id_of(one.trial), id_of(planned));
  }
}

TEST_F(Sweeps, ForgetRetiresOutcomesOfOneBuildOrOfAll) {
  EXPECT_EQ(store_.forget({id_of(trial(0)), id_of(trial(1))}, "build-2"), 0u);
  EXPECT_EQ(store_.forget({id_of(trial(0)), id_of(trial(1))}, "build-1"), 1u);
  EXPECT_EQ(history(trial(0)).missing, std::vector<EvaluationRequest>{kKde});
  EXPECT_EQ(cell("SELECT count(*) FROM evaluation"), "1") << "hidden, not deleted";
  ASSERT_TRUE(
      store_.record_outcome(outcome(trial(0), begin(store_, trial(0)), {evaluation(kKde, 0.8)})));
  EXPECT_EQ(store_.forget({id_of(trial(0))}, ""), 1u);
}

TEST_F(Sweeps, ForgetGivesAllAttemptsBack) {
  fail(trial(1));
  fail(trial(1));
  ASSERT_TRUE(
      store_.record_outcome(outcome(trial(1), begin(store_, trial(1)), {evaluation(kKde, 0.8)})));
  EXPECT_EQ(store_.status()[0].again, 0);
  fail(trial(1));  // for more scores
  EXPECT_EQ(store_.status()[0].again, 1);
  EXPECT_EQ(history(trial(1)).failed_attempts, 1);
  EXPECT_EQ(store_.forget({id_of(trial(1))}, "build-2"), 0u);
  EXPECT_EQ(history(trial(1)).failed_attempts, 1);
  EXPECT_EQ(store_.forget({id_of(trial(1))}, ""), 1u);
  EXPECT_EQ(history(trial(1)).failed_attempts, 0);
}

TEST_F(Sweeps, CancelTakesATrialWithoutAnOutcomeOutUntilRetry) {
  EXPECT_EQ(store_.cancel({id_of(trial(0)), id_of(trial(1))}), 1u);
  EXPECT_TRUE(history(trial(1)).cancelled);
  EXPECT_FALSE(history(trial(0)).cancelled);
  EXPECT_EQ(store_.status()[0].cancelled, 1);
  EXPECT_EQ(cell("SELECT state FROM trials WHERE trial = '" + id_of(trial(1)) + "'"), "cancelled");
  store_.record_sweep(spec(), expansion({trial(1), trial(4)}));
  EXPECT_TRUE(history(trial(1)).cancelled) << "a changed spec does not bring it back";
  store_.record_sweep(spec("another"), expansion({trial(1)}));
  EXPECT_FALSE(store_.histories(expansion({trial(1)}), "another")[0].cancelled);
  EXPECT_EQ(store_.retry({id_of(trial(1))}), 1u);
  EXPECT_FALSE(history(trial(1)).cancelled);
}

TEST_F(Sweeps, AGroupIsDurableAsOneAndAFailedStepLeavesTheRest) {
  store_.begin_group();
  const std::int64_t lease = begin(store_, trial(1));
  const std::int64_t other = begin(store_, trial(2));
  Outcome wrong = outcome(trial(2), other, {evaluation(kKde, 2)});  // no AUROC
  EXPECT_THROW(store_.record_outcome(wrong), Error);
  ASSERT_TRUE(store_.record_outcome(outcome(trial(1), lease, {evaluation(kKde, 0.7)})));
  const Store reader(path_, Store::Mode::read);
  EXPECT_EQ(cell_of(reader, "SELECT count(*) FROM outcome"), "1");
  store_.commit_group();
  EXPECT_EQ(cell_of(reader, "SELECT count(*) FROM outcome"), "2");
  EXPECT_EQ(cell_of(reader, "SELECT count(*) FROM attempt WHERE state = 'running'"), "1");
}

}  // namespace
}  // namespace occam
