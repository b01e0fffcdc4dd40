// Rows and columns: their order, their names, means over classes and data sets, what competes.
#include <gmock/gmock.h>

#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::Contains;
using testing::HasSubstr;

Trial synthetic(std::int64_t inlier, std::int64_t seed = 1, std::int64_t batch_size = 32) {
  Trial one = trial(inlier, seed, batch_size);
  one.dataset = Dataset::synthetic;
  return canonical(one);
}

// Two classes of one data set and three of another; seeds 1 and 2.
Plan two_datasets() {
  Plan plan;
  for (const std::int64_t seed : {1, 2}) {
    const double shift = seed == 1 ? 0 : 0.1;
    plan.done(trial(0, seed), kKde, 0.5 + shift).done(trial(5, seed), kKde, 0.7 + shift);
    for (const std::int64_t inlier : {0, 1, 2}) plan.done(synthetic(inlier, seed), kKde, 0.8);
  }
  return plan;
}

TEST(TableLines, AverageOverTheTasksOfAllDataSetsAndNotOverTheDataSets) {
  TableOptions options = by({"classifier"}, {"dataset"});
  options.spec.mean = true;
  const Table table = ablation(two_datasets().sweep(), options);
  EXPECT_EQ(table.columns, (std::vector<Labels>{{"fashion-mnist"}, {"synthetic"}, {"mean"}}));
  EXPECT_EQ(table.column_is_mean, (std::vector<bool>{false, false, true}));
  const Cell& mean = table.cells[0][2];
  EXPECT_NEAR(*mean.mean, ((0.5 + 0.7 + 2.4) / 5 + (0.6 + 0.8 + 2.4) / 5) / 2, 1e-12);
  EXPECT_NEAR(*mean.paper_deviation, 2 * std::sqrt(0.005) / 5, 1e-12);
  EXPECT_EQ(mean.classes, 5);
  EXPECT_THAT(table.what, HasSubstr("tasks (classes of all data sets)"));
}

TEST(TableLines, SpanDataSetsOnlyWhenAsked) {
  EXPECT_THAT(
      message_of([&] { ablation(two_datasets().sweep(), by({"loss"}, {"classifier"})); }),
      testing::AllOf(HasSubstr("would mix dataset fashion-mnist, synthetic"), HasSubstr("--mean")));
  TableOptions options = by({"loss"}, {"classifier"});
  options.spec.mean = true;
  EXPECT_EQ(ablation(two_datasets().sweep(), options).cells[0][0].classes, 5);
}

TEST(TableLines, OfClassesEndInTheirMeanAndTheBestIsOfTheRow) {
  Plan plan;
  for (const std::int64_t inlier : {0, 1})
    plan.done(trial(inlier), kKde, 0.8).done(trial(inlier), kGde, inlier == 0 ? 0.9 : 0.6);
  TableOptions options = by({"class_name"}, {"classifier"});
  options.spec.mean = true;
  const Table table = ablation(plan.sweep(), options);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[2], Labels{"mean"});
  EXPECT_NEAR(*table.cells[2][0].mean, 0.8, 1e-12);
  EXPECT_TRUE(table.best_by_row);
  EXPECT_FALSE(table.cells[0][0].best);
  EXPECT_TRUE(table.cells[0][1].best);
  EXPECT_TRUE(table.cells[1][0].best);
  EXPECT_TRUE(table.cells[2][0].best);
}

TEST(TableLines, OfDataSetsAndClassesHaveAMeanEachAndOneOfAll) {
  TableOptions options = by({"dataset", "class"}, {"classifier"});
  options.spec.mean = true;
  EXPECT_EQ(ablation(two_datasets().sweep(), options).rows,
            (std::vector<Labels>{{"fashion-mnist", "0"},
                                 {"fashion-mnist", "5"},
                                 {"fashion-mnist", "mean"},
                                 {"synthetic", "0"},
                                 {"synthetic", "1"},
                                 {"synthetic", "2"},
                                 {"synthetic", "mean"},
                                 {"mean", "mean"}}));
}

Plan batch_sizes() {
  Plan plan;
  plan.done(trial(0, 1, 16), kKde, 0.7).done(trial(0, 1, 32), kKde, 0.9);
  plan.done(trial(0, 1, 64), kKde, 0.8).done(trial(0, 1, 128), kKde, 0.6);
  return plan;
}

TEST(TableLines, MarkTheSecondOfThreeOrMore) {
  const Table table = ablation(batch_sizes().sweep(), kByBatchSize);
  EXPECT_TRUE(table.cells[1][0].best);
  EXPECT_TRUE(table.cells[2][0].second);
  EXPECT_FALSE(table.cells[0][0].second);
  EXPECT_THAT(render(table, TableFormat::text), HasSubstr("80.0° "));
  EXPECT_THAT(render(table, TableFormat::md), HasSubstr("<u>80.0</u>"));
  EXPECT_THAT(render(table, TableFormat::latex), HasSubstr("\\underline{80.0}"));
  TableOptions none = kByBatchSize;
  none.spec.best = Best::none;
  EXPECT_FALSE(ablation(batch_sizes().sweep(), none).cells[1][0].best);
}

TEST(TableLines, SortByTheirMeanInAColumn) {
  TableOptions options = kByBatchSize;
  options.spec.sort = "kde";
  EXPECT_EQ(ablation(batch_sizes().sweep(), options).rows,
            (std::vector<Labels>{{"32"}, {"64"}, {"16"}, {"128"}}));
  options.spec.sort = "kd";
  EXPECT_THAT(message_of([&] { ablation(batch_sizes().sweep(), options); }),
              HasSubstr("did you mean 'kde'?"));
}

TEST(TableLines, SortByAColumnOfParametersInWords) {
  EvaluationRequest narrow = kKde;
  narrow.parameters.gamma_scale = 1;
  Plan plan;
  plan.done(trial(0, 1, 16), kKde, 0.9).done(trial(0, 1, 32), kKde, 0.8);
  plan.done(trial(0, 1, 16), narrow, 0.6).done(trial(0, 1, 32), narrow, 0.7);
  TableOptions options = by({"batch_size"}, {"parameters"});
  for (const char* name : {"gamma_scale=1", "{\"gamma_scale\":1}"}) {
    options.spec.sort = name;
    EXPECT_EQ(ablation(plan.sweep(), options).rows, (std::vector<Labels>{{"32"}, {"16"}}));
  }
  options.spec.sort = "gamma_scale=2";
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), options); }),
              HasSubstr("these are: mean defaults gamma_scale=1"));
}

TEST(TableLines, TakeTheOrderAndTheNamesThatAreGiven) {
  TableOptions options = kByBatchSize;
  options.spec.order = {{"batch_size", {"128", "64"}}};
  options.spec.labels = {{"batch_size", {{"", "Batch"}, {"64", "sixty-four"}}},
                         {"classifier", {{"kde", "KDE"}}}};
  const Table table = ablation(batch_sizes().sweep(), options);
  EXPECT_EQ(table.rows, (std::vector<Labels>{{"128"}, {"64"}, {"16"}, {"32"}}));
  EXPECT_THAT(render(table, TableFormat::md),
              testing::AllOf(HasSubstr("| Batch | KDE |"), HasSubstr("| sixty-four | <u>80.0")));
  // The long formats keep the values themselves.
  EXPECT_THAT(render(table, TableFormat::csv), HasSubstr("64,kde,auroc,0.8"));
  options.spec.order = {{"batch_size", {"100"}}};
  EXPECT_THAT(message_of([&] { ablation(batch_sizes().sweep(), options); }),
              HasSubstr("--order: no trial of the sweep has batch_size=100"));
}

TEST(TableLines, ShowTheSpreadThatIsAsked) {
  Plan plan;
  for (const std::int64_t seed : {1, 2, 3}) {
    plan.done(trial(0, seed), kKde, 0.5 + 0.01 * static_cast<double>(seed));
    plan.done(trial(1, seed), kKde, 0.5 - 0.01 * static_cast<double>(seed));
  }
  TableOptions options = kByBatchSize;
  const Cell cell = ablation(plan.sweep(), options).cells[0][0];
  EXPECT_NEAR(*cell.deviation, 0, 1e-12);           // the classes cancel within each seed
  EXPECT_NEAR(*cell.paper_deviation, 0.01, 1e-12);  // of each class over its seeds
  options.spec.spread = Spread::paper;
  EXPECT_THAT(render(ablation(plan.sweep(), options), TableFormat::text),
              testing::AllOf(HasSubstr("50.0 ± 1.0"), HasSubstr("average over the classes")));
  options.spec.spread = Spread::ci95;
  EXPECT_THAT(ablation(plan.sweep(), options).what, HasSubstr("95 % t interval"));
}

}  // namespace
}  // namespace occam
