#include "experiments/metric.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "results/arms.h"
#include "results/figure/figure.h"
#include "results/figure/gnuplot.h"
#include "results/figure/layout.h"
#include "results/published.h"
#include "results/table.h"
#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Batch sizes of which the larger has the larger false positive rate, half of it as its average
// precision, and the smaller AUROC.
SweepResults batch_sizes(const std::vector<std::int64_t>& seeds = {1}) {
  Plan plan;
  for (const std::int64_t seed : seeds)
    for (const std::int64_t batch_size : {16, 32, 64, 128})
      for (const std::int64_t inlier : {0, 1, 2, 3, 4, 5})
        plan.done(
            trial(inlier, seed, batch_size), kKde,
            0.9 - 0.001 * static_cast<double>(batch_size + inlier + (seed * batch_size) / 16));
  SweepResults sweep = plan.sweep();
  for (Result& one : sweep.results) {
    one.evaluation->fpr95 = 1 - one.evaluation->auroc;
    one.evaluation->average_precision = one.evaluation->fpr95 / 2;
  }
  return sweep;
}

TableOptions of(Metric metric) {
  TableOptions options;
  options.spec.rows = {"batch_size"};
  options.spec.columns = {"classifier"};
  options.spec.metric = metric;
  return options;
}

TEST(Metric, OfATableIsWhatItsCellsShow) {
  const SweepResults sweep = batch_sizes();
  const double fpr95 = *ablation(sweep, of(Metric::fpr95)).cells[0][0].mean;
  EXPECT_NEAR(fpr95, 0.1 + 0.001 * (16 + 2.5 + 1), 1e-12);
  EXPECT_NEAR(*ablation(sweep, of(Metric::average_precision)).cells[0][0].mean, fpr95 / 2, 1e-12);
  EXPECT_NEAR(*ablation(sweep, of(Metric::auroc)).cells[0][0].mean, 1 - fpr95, 1e-12);
}

TEST(Metric, SaysWhichItIsInEveryFormat) {
  const Table table = ablation(batch_sizes(), of(Metric::fpr95));
  EXPECT_THAT(render(table, TableFormat::text), HasSubstr("\nFPR95 in % (less is better): mean"));
  EXPECT_THAT(render(table, TableFormat::md), HasSubstr("FPR95 in % (less is better): mean"));
  EXPECT_THAT(render(table, TableFormat::latex), HasSubstr("FPR95 in \\% (less is better): mean"));
  EXPECT_THAT(render(table, TableFormat::csv), HasSubstr("16,kde,fpr95,0.1"));
  EXPECT_EQ(nlohmann::json::parse(render(table, TableFormat::json))[0]["metric"], "fpr95");
}

TEST(Metric, OfFalsePositivesIsBestWhereItIsLeast) {
  TableOptions options = of(Metric::fpr95);
  Table table = ablation(batch_sizes(), options);
  EXPECT_TRUE(table.cells[0][0].best);
  EXPECT_TRUE(table.cells[1][0].second);
  EXPECT_FALSE(table.cells[3][0].best);
  table = ablation(batch_sizes(), of(Metric::average_precision));
  EXPECT_TRUE(table.cells[3][0].best);

  options.spec.sort = "kde";
  options.spec.order = {{"batch_size", {"64"}}};
  EXPECT_EQ(ablation(batch_sizes(), options).rows,
            (std::vector<Labels>{{"16"}, {"32"}, {"64"}, {"128"}}));
}

TEST(Metric, OfOptionsTakesTheSpecsTableWithoutACaptionOfAnother) {
  TableSpec table = of(Metric::fpr95).spec, wanted;
  table.caption = "FPR95 of batch sizes";
  EXPECT_EQ(with_options(table, wanted).metric, Metric::fpr95);
  wanted.metric = Metric::fpr95;
  EXPECT_EQ(with_options(table, wanted).caption, "FPR95 of batch sizes");
  wanted.metric = Metric::auroc;
  EXPECT_EQ(with_options(table, wanted).metric, Metric::auroc);
  EXPECT_EQ(with_options(table, wanted).caption, "");
  wanted.caption = "AUROC of batch sizes";
  EXPECT_EQ(with_options(table, wanted).caption, "AUROC of batch sizes");
}

TEST(Metric, IsWhatHyperParametersAreChosenBy) {
  TableOptions options = of(Metric::fpr95);
  options.spec.rows = {"loss"};
  options.spec.select = {"batch_size"};
  options.spec.select_on = "test";
  EXPECT_EQ(ablation(batch_sizes(), options).cells[0][0].chosen, "batch_size=16");
  options.spec.metric = Metric::average_precision;
  EXPECT_EQ(ablation(batch_sizes(), options).cells[0][0].chosen, "batch_size=128");
}

TEST(Metric, IsComparedByItsOwnDirection) {
  ArmsOptions options;
  options.metric = Metric::fpr95;
  const Arm small{"16", {{"batch_size", {"16"}}}}, large{"64", {{"batch_size", {"64"}}}},
      largest{"128", {{"batch_size", {"128"}}}};
  const ArmsComparison found =
      compare_arms(batch_sizes({1, 2, 3}), {small, large, largest}, options);
  EXPECT_THAT(sentences(found),
              AllOf(HasSubstr("16 is significantly below 64, by 5.40 FPR95 points (12.0 against"),
                    HasSubstr("better on 6 of 6 classes"), HasSubstr("(lowest is best) 1.00, 2.00"),
                    HasSubstr("\nFPR95: less is better\n"), Not(HasSubstr("AUROC"))));
  EXPECT_EQ(nlohmann::json::parse(to_json_text(found))["metric"], "fpr95");
}

TEST(Metric, StandsAtThePicturesAxisAndColours) {
  FigureOptions options;
  options.x = "batch_size";
  options.by = {"loss"};
  options.metric = Metric::average_precision;
  EXPECT_EQ(figure(batch_sizes(), options).y_label, "average precision (%)");
  EXPECT_NEAR(*figure(batch_sizes(), options).panels[0].series[0].points[0].y, 5.975, 1e-9);
  options.kind = FigureKind::bars;
  EXPECT_EQ(range_of(figure(batch_sizes(), options)).least, 0);
  options.metric = Metric::auroc;
  EXPECT_EQ(range_of(figure(batch_sizes(), options)).least, 50);
  options.metric = Metric::average_precision;
  options.kind = FigureKind::heat;
  options.y = "class";
  options.by = {};
  const Figure heat = figure(batch_sizes(), options);
  EXPECT_EQ(heat.value_label, "average precision (%)");
  EXPECT_THAT(gnuplot_script(heat, FigureFormat::svg, "a.svg"),
              AllOf(HasSubstr("average precision (%)"), Not(HasSubstr("palette negative")),
                    Not(HasSubstr("AUROC"))));
  options.metric = Metric::fpr95;
  EXPECT_THAT(gnuplot_script(figure(batch_sizes(), options), FigureFormat::svg, "a.svg"),
              AllOf(HasSubstr("FPR95 (%), less is better"), HasSubstr("set palette negative")));
}

TEST(Metric, OfPrintIsAuroc) {
  TableOptions options = of(Metric::fpr95);
  options.against = &PublishedValues::of_the_paper();
  EXPECT_THAT(message_of([&] { ablation(batch_sizes(), options); }),
              HasSubstr("--against: what is in print is AUROC, and this table shows FPR95"));
}

}  // namespace
}  // namespace occam
