// Differences from a baseline, choices, and the errors that a table must make visible.
#include <gmock/gmock.h>

#include <cmath>

#include "results/statistics/several.h"
#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Trial rotating(std::int64_t inlier, std::int64_t seed = 1, std::int64_t batch_size = 32) {
  Trial one = trial(inlier, seed, batch_size);
  one.loss = Loss::rotation;
  return canonical(one);
}

// Rotation is above contrastive by 2, 3 and 4 points over three seeds at batch 32, by 0 and ±1
// at 64.
Plan two_losses() {
  Plan plan;
  for (const std::int64_t seed : {1, 2, 3})
    for (const std::int64_t inlier : {0, 1}) {
      const double at = 0.8 + 0.001 * static_cast<double>(inlier);
      const auto step = static_cast<double>(seed);
      plan.done(trial(inlier, seed), kKde, at);
      plan.done(rotating(inlier, seed), kKde, at + 0.01 + 0.01 * step);
      plan.done(trial(inlier, seed, 64), kKde, at);
      plan.done(rotating(inlier, seed, 64), kKde, at + 0.01 * (step - 2));
    }
  return plan;
}

TableOptions against_contrastive() {
  TableOptions options = by({"batch_size"}, {"loss"});
  options.spec.baseline = {{"loss", {"contrastive"}}};
  return options;
}

TEST(Baseline, IsComparedWithInItsOwnRow) {
  const Table table = ablation(two_losses().sweep(), against_contrastive());
  EXPECT_TRUE(table.cells[0][0].is_baseline);
  EXPECT_FALSE(table.cells[0][0].difference);
  const Comparison& found = *table.cells[0][1].difference;
  EXPECT_NEAR(*found.estimate, 0.03, 1e-12);
  // t = 0.03 / (0.01 / sqrt 3) of two degrees, whose distribution is 1/2 + t / (2 sqrt(2 + t²)).
  const double t = 0.03 * std::sqrt(3) / 0.01;
  EXPECT_NEAR(*found.p, 1 - t / std::sqrt(2 + t * t), 1e-9);
  EXPECT_NEAR(found.interval->low, 0.03 - 4.302652729911275 * 0.01 / std::sqrt(3), 1e-9);
  EXPECT_NEAR(*table.cells[1][1].difference->estimate, 0, 1e-12);
}

TEST(Baseline, CorrectsOverTheDifferencesThatTheTablePrints) {
  const Table table = ablation(two_losses().sweep(), against_contrastive());
  const double small = *table.cells[0][1].difference->p, large = *table.cells[1][1].difference->p;
  const std::vector<double> corrected = holm(std::vector<double>{small, large});
  EXPECT_DOUBLE_EQ(*table.cells[0][1].difference->corrected, corrected[0]);
  EXPECT_DOUBLE_EQ(corrected[0], 2 * small);
  EXPECT_DOUBLE_EQ(*table.cells[1][1].difference->corrected, corrected[1]);
  EXPECT_THAT(table.notes, Contains(AllOf(HasSubstr("these tasks, new seeds"),
                                          HasSubstr("Holm over the 2 differences"))));
  EXPECT_THAT(render(table, TableFormat::text), HasSubstr("Δ +3.00 [+0.52, +5.48] p 0.07"));
}

TEST(Baseline, SaysOverHowManyADifferenceIsWhereACellHasMore) {
  EXPECT_THAT(ablation(two_losses().sweep(), against_contrastive()).notes,
              Not(Contains(HasSubstr("Δ over"))));
  Plan plan = two_losses();
  plan.missing(rotating(0, 4), kKde).done(rotating(1, 4), kKde, 0.9);
  plan.done(trial(0, 4), kKde, 0.8).done(trial(1, 4), kKde, 0.8);
  EXPECT_THAT(ablation(plan.sweep(), against_contrastive()).notes,
              Contains("Δ over the seeds and classes that a cell and its baseline both have: 3x2 "
                       "at batch_size=32, loss=rotation"));
}

TEST(Baseline, HasNothingToCorrectWithOneDifference) {
  TableOptions options = against_contrastive();
  options.spec.where = {{"batch_size", {"32"}}};
  EXPECT_THAT(ablation(two_losses().sweep(), options).notes,
              Contains(AllOf(HasSubstr("the table's one p"), Not(HasSubstr("Holm")))));
}

TEST(Baseline, OfNewTasksSaysThatSoFewClassesCannotTell) {
  TableOptions options = against_contrastive();
  options.spec.claim = Claim::tasks;
  const Table table = ablation(two_losses().sweep(), options);
  EXPECT_FALSE(table.cells[0][1].difference->p);
  EXPECT_THAT(table.notes,
              Contains(HasSubstr("2 without p: so few classes cannot give less than 0.5")));
  EXPECT_THAT(table.notes, Contains(HasSubstr("new tasks: exact Wilcoxon")));
}

TEST(Baseline, MustBeAnArmOfTheTable) {
  TableOptions options = against_contrastive();
  options.spec.baseline = {{"temperature", {"0.2"}}};
  EXPECT_THAT(message_of([&] { ablation(two_losses().sweep(), options); }),
              HasSubstr("neither row nor column"));
  options.spec.baseline = {{"loss", {"contrastiv"}}};
  EXPECT_THAT(message_of([&] { ablation(two_losses().sweep(), options); }),
              HasSubstr("did you mean 'contrastive'?"));
}

TEST(Baseline, OfOneSeedSaysThatThereIsNoInterval) {
  Plan plan;
  plan.done(trial(0), kKde, 0.8).done(rotating(0), kKde, 0.9);
  const Table table = ablation(plan.sweep(), against_contrastive());
  EXPECT_THAT(table.notes, AllOf(Contains(HasSubstr("one seed: no deviation")),
                                 Contains(HasSubstr("1 without an interval"))));
}

// ---- choosing hyper-parameters ----

Trial at_rate(double rate, std::int64_t inlier = 0) {
  Trial one = trial(inlier);
  one.learning_rate = rate;
  return canonical(one);
}

// 0.02 is best on validation, 0.05 on test.
Plan three_rates() {
  Plan plan;
  plan.done(at_rate(0.01), kKde, 0.7).validated(at_rate(0.01), kKde, 0.70);
  plan.done(at_rate(0.02), kKde, 0.8).validated(at_rate(0.02), kKde, 0.75);
  plan.done(at_rate(0.05), kKde, 0.9).validated(at_rate(0.05), kKde, 0.60);
  return plan;
}

TEST(Select, ChoosesOnValidationAndReportsTest) {
  TableOptions options = by({"loss"}, {"classifier"});
  options.spec.select = {"learning_rate"};
  const Table table = ablation(three_rates().sweep(), options);
  EXPECT_EQ(table.cells[0][0].mean, 0.8);
  EXPECT_EQ(table.cells[0][0].chosen, "learning_rate=0.02");
  EXPECT_EQ(table.cells[0][0].chosen_on, "validation");
  EXPECT_THAT(table.notes, Contains(HasSubstr("not strictly one-class")));
  for (const TableFormat format : {TableFormat::text, TableFormat::md})
    EXPECT_THAT(render(table, format), Not(HasSubstr("†")));
}

TEST(Select, OnTestStampsEveryFormat) {
  TableOptions options = by({"loss"}, {"classifier"});
  options.spec.select = {"learning_rate"};
  options.spec.select_on = "test";
  const Table table = ablation(three_rates().sweep(), options);
  EXPECT_EQ(table.cells[0][0].mean, 0.9);
  EXPECT_THAT(render(table, TableFormat::text),
              AllOf(HasSubstr("90.0†"), HasSubstr("†: chosen on test")));
  EXPECT_THAT(render(table, TableFormat::md), HasSubstr("90.0 †"));
  EXPECT_THAT(render(table, TableFormat::latex), HasSubstr("\\dag"));
  EXPECT_THAT(render(table, TableFormat::csv), HasSubstr("learning_rate=0.05,test"));
  EXPECT_THAT(render(table, TableFormat::json), HasSubstr("\"chosen_on\": \"test\""));
}

TEST(Select, NeedsAllScoresToChooseBy) {
  Plan plan = three_rates();
  plan.done(at_rate(0.1), kKde, 0.5);
  TableOptions options = by({"loss"}, {"classifier"});
  options.spec.select = {"learning_rate"};
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), options); }),
              AllOf(HasSubstr("learning_rate=0.1"), HasSubstr("\"validation\": true")));
  options.spec.rows = {"learning_rate"};
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), options); }), HasSubstr("is an axis"));
}

TEST(Where, ThatKeepsOneOfSeveralRatesIsAChoiceOnTest) {
  TableOptions options = by({"loss"}, {"classifier"});
  options.spec.where = {{"learning_rate", {"0.05"}}};
  const Table table = ablation(three_rates().sweep(), options);
  EXPECT_EQ(table.cells[0][0].chosen_on, "test");
  EXPECT_THAT(table.notes, Contains(HasSubstr("†: chosen on test")));
  Plan two = three_rates();
  for (const double rate : {0.01, 0.05}) {
    Trial other = at_rate(rate);
    other.batch_size = 64;
    two.done(other, kKde, 0.8);
  }
  options.spec.rows = {"batch_size"};
  EXPECT_THAT(ablation(two.sweep(), options).notes,
              Contains(HasSubstr("may be too good: learning_rate=0.05 at 2 cells")));
  options.spec.rows = {"loss"};
  options.spec.where = {{"learning_rate", {"0.01"}}};  // the released one
  EXPECT_EQ(ablation(three_rates().sweep(), options).cells[0][0].chosen_on, "");
}

// ---- what must be seen ----

TEST(Ablation, CountsCollapsedTrainingsAndKeepsThemInTheMean) {
  Plan plan;
  plan.done(trial(0), kKde, 0.9).collapsed(trial(1), kKde, 0.5);
  TableOptions options = kByBatchSize;
  const Table table = ablation(plan.sweep(), options);
  EXPECT_NEAR(*table.cells[0][0].mean, 0.7, 1e-12);
  EXPECT_THAT(render(table, TableFormat::text), HasSubstr("70.0 (1x2, 1 collapsed)"));
  options.exclude_collapsed = true;
  const Table without = ablation(plan.sweep(), options);
  EXPECT_NEAR(*without.cells[0][0].mean, 0.9, 1e-12);
  EXPECT_NEAR(*without.cells[0][0].mean_with_collapsed, 0.7, 1e-12);
  EXPECT_THAT(without.notes, Contains(HasSubstr("90.0 without, 70.0 with")));
}

TEST(Ablation, CountsACollapsedTrainingOnceWhateverItsScores) {
  Plan plan;
  plan.collapsed(trial(0), kKde, 0.5).collapsed(trial(0), kGde, 0.5);
  EXPECT_THAT(ablation(plan.sweep(), by({"loss"}, {"classifier"})).notes,
              Contains(AllOf(StartsWith("1 collapsed, judged by"), HasSubstr("classifier=gde"),
                             HasSubstr("classifier=kde"))));
}

TEST(Ablation, NamesTheArmsWithFailuresAndUnequalSeeds) {
  Plan plan;
  plan.done(trial(0, 1), kKde, 0.8).done(trial(0, 2), kKde, 0.8);
  plan.done(rotating(0, 1), kKde, 0.8).missing(rotating(1, 1), kKde, true);
  const Table table = ablation(plan.sweep(), by({"loss"}, {"classifier"}));
  EXPECT_THAT(table.notes, AllOf(Contains(HasSubstr("failed: not missing at random (1 of 2 at "
                                                    "loss=rotation, classifier=kde)")),
                                 Contains(HasSubstr("unequal seeds: 1 at 1 cell, 2 at 1 cell"))));
}

TEST(Ablation, RefusesTrialsOfACellThatDifferByClassOrSeed) {
  Trial longer = trial(1);
  longer.epochs = 30;
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(canonical(longer), kKde, 0.8);
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), kByBatchSize); }),
              AllOf(HasSubstr("would mix epochs 20, 30"),
                    HasSubstr("or by their scores with --select epochs --on test, or take them "
                              "together with --pool")));
  TableOptions select = kByBatchSize;
  select.spec.select = {"epochs"};
  select.spec.select_on = "test";
  EXPECT_NEAR(*ablation(plan.sweep(), select).cells[0][0].mean, 0.8, 1e-12);
  TableOptions pool = kByBatchSize;
  pool.pool = true;
  const Table table = ablation(plan.sweep(), pool);
  EXPECT_NEAR(*table.cells[0][0].mean, 0.75, 1e-12);
  EXPECT_THAT(table.notes, Contains("pooled: epochs 20, 30"));
}

TEST(Ablation, SaysWhichBuildsItPooled) {
  TableOptions pool = kByBatchSize;
  pool.pool = true;
  const Plan plan = Plan().done(trial(0), kKde, 0.7, "b1").done(trial(1), kKde, 0.8, "b2");
  EXPECT_THAT(ablation(plan.sweep(), pool).notes, Contains(HasSubstr("builds b1 and b2")));
}

TEST(Ablation, SaysThatArmsWithMoreCopiesTakeMoreUpdates) {
  Trial enlarged = trial(0);
  enlarged.distribution_augmentation = DistributionAugmentation::rotation;
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(canonical(enlarged), kKde, 0.8);
  EXPECT_THAT(ablation(plan.sweep(), by({"distribution_augmentation"}, {"classifier"})).notes,
              Contains("held fixed: epochs 20 (updates 15000 … 3740)"));
}

}  // namespace
}  // namespace occam
