#include "results/figure/figure.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>

#include <cmath>

#include "results/figure/gnuplot.h"
#include "results/figure/layout.h"
#include "results/figure/marks.h"
#include "results/table.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two losses, two classifiers, four batch sizes, two classes, three seeds; every score is
// different, and known.
double score(const Trial& of, const EvaluationRequest& request) {
  return 0.5 + 0.01 * std::log2(of.batch_size) + 0.02 * static_cast<double>(of.loss) +
         0.03 * static_cast<double>(request.classifier == Classifier::gde) +
         0.004 * static_cast<double>(of.seed * of.seed) +
         0.05 * static_cast<double>(std::get<std::int64_t>(of.inlier));
}

std::vector<Trial> all_trials() {
  std::vector<Trial> trials;
  for (const std::int64_t seed : {1, 2, 3})
    for (const Loss loss : {Loss::contrastive, Loss::rotation})
      for (const std::int64_t batch : {8, 16, 32, 64})
        for (const std::int64_t inlier : {0, 1}) {
          Trial one = trial(inlier, seed, batch);
          one.loss = loss;
          trials.push_back(canonical(one));
        }
  return trials;
}

void record_all(const std::string& path) {
  Store store(path, Store::Mode::write);
  Spec named = spec();
  named.tables = {{"main", {{"batch_size"}, {"loss", "classifier"}, {}, {}, "caption"}}};
  store.record_sweep(named, expansion(all_trials(), {kKde, kGde}));
  for (const Trial& one : all_trials()) {
    const std::int64_t lease = begin(store, one);
    std::vector<Progress> curve;
    for (std::int64_t epoch = 1; epoch <= 3; ++epoch)
      curve.push_back({id_of(one), lease, epoch, 3,
                       static_cast<double>(epoch * one.seed) +
                           10 * static_cast<double>(std::get<std::int64_t>(one.inlier)),
                       0.5, 0.01, 100});
    store.record_progress(curve);
    store.record_outcome(outcome(
        one, lease, {evaluation(kKde, score(one, kKde)), evaluation(kGde, score(one, kGde))}));
  }
  store.close();
}

class FigureTest : public StoreTest {
 protected:
  FigureTest() : store_(recorded(), Store::Mode::write), trials_(all_trials()) {}

  // A copy of what is recorded once.
  const std::string& recorded() const {
    struct Once : StoreTest {
      Once() { record_all(path_); }
      void TestBody() override {}
      using StoreTest::path_;
    };
    static const Once once;
    std::filesystem::copy_file(once.path_, path_);
    return path_;
  }
  Figure made(const FigureOptions& options) const { return figure(store_.results(), options); }
  Figure curves(const FigureOptions& options) const {
    return curve_figure(store_.results(), read_curves(store_, "sweep"), options);
  }

  Store store_;
  std::vector<Trial> trials_;
};

std::vector<double> xs(const Series& series) {
  std::vector<double> all;
  for (const Point& point : series.points) all.push_back(point.x);
  return all;
}

TEST_F(FigureTest, ShowsTheMeansAndDeviationsOfTheTable) {
  const Figure drawn = made({{}, "batch_size", "", {"loss", "classifier"}, {}, ""});
  TableOptions options;
  options.spec.rows = {"batch_size"};
  options.spec.columns = {"loss", "classifier"};
  const Table table = ablation(store_.results(), options);
  ASSERT_EQ(drawn.panels.size(), 2u);
  std::size_t column = 0;
  for (const Panel& panel : drawn.panels) {
    ASSERT_EQ(panel.series.size(), 2u);
    for (const Series& series : panel.series) {
      EXPECT_EQ(panel.title, table.columns[column][0]);
      EXPECT_EQ(series.name, table.columns[column][1]);
      EXPECT_THAT(xs(series), ElementsAre(8, 16, 32, 64));
      for (std::size_t row = 0; row < 4; ++row) {
        EXPECT_DOUBLE_EQ(*series.points[row].y, 100 * *table.cells[row][column].mean);
        EXPECT_DOUBLE_EQ(*series.points[row].spread, 100 * *table.cells[row][column].deviation);
      }
      ++column;
    }
  }
  // 0.5 + 0.03 + (0.016 + 0.064 + 0.144 / 3 ...): by hand, batch 8, contrastive, kde.
  EXPECT_NEAR(*drawn.panels[0].series[0].points[0].y,
              100 * (0.5 + 0.03 + 0.004 * (1 + 4 + 9) / 3 + 0.025), 1e-9);
}

TEST_F(FigureTest, TakesTheSpecsFirstTableWithoutAnyFields) {
  const Figure drawn = made({});
  EXPECT_EQ(drawn.kind, FigureKind::lines);
  EXPECT_EQ(drawn.x_label, "batch size");
  EXPECT_EQ(drawn.panels.size(), 2u);
}

TEST_F(FigureTest, TakesTheTablesLabelsAndNotItsDifferences) {
  Spec named = spec("labelled");
  TableSpec table;
  table.rows = {"batch_size"};
  table.columns = {"classifier", "loss"};
  table.baseline = {{"loss", {"contrastive"}}};
  table.labels = {{"loss", {{"rotation", "Rotation"}, {"contrastive", "Rotation"}}},
                  {"batch_size", {{"", "Batch"}}}};
  named.tables = {{"main", table}};
  store_.record_sweep(named, expansion(trials_, {kKde, kGde}));
  const SweepResults results = store_.results("labelled");
  const Figure drawn = figure(results, {});
  EXPECT_EQ(drawn.x_label, "Batch");
  for (const std::string& note : drawn.notes) EXPECT_THAT(note, testing::Not(HasSubstr("Δ")));
  // Two that are called the same stay two.
  ASSERT_EQ(drawn.panels[0].series.size(), 2u);
  EXPECT_EQ(drawn.panels[0].series[0].name, "Rotation");
  EXPECT_THAT(xs(drawn.panels[0].series[1]), ElementsAre(8, 16, 32, 64));
  // Also where the fields are given, and on curves.
  EXPECT_EQ(figure(results, {{}, "class_name", "", {"classifier", "batch_size", "loss"}, {}, ""})
                .panels[0]
                .series[0]
                .name,
            "Rotation");
  FigureOptions options;
  options.by = {"loss", "batch_size"};
  EXPECT_EQ(curve_figure(results, read_curves(store_, "labelled"), options).panels[0].title,
            "Rotation");
}

TEST_F(FigureTest, PutsDoublingsOnALogarithmicAxis) {
  EXPECT_TRUE(made({{}, "batch_size", "", {"loss", "classifier"}, {}, ""}).log_x);
  EXPECT_TRUE(
      made({{}, "batch_size", "", {"loss", "classifier"}, {{"batch_size", {"8", "16", "32"}}}, ""})
          .log_x);
  EXPECT_FALSE(made({{}, "seed", "", {"batch_size", "loss", "classifier"}, {}, ""}).log_x);
  EXPECT_FALSE(
      made({{}, "batch_size", "", {"loss", "classifier"}, {{"batch_size", {"16", "32"}}}, ""})
          .log_x);
}

TEST_F(FigureTest, DrawsNamesAsBarsAndSaysWhatTheMeanIsOf) {
  const Figure drawn =
      made({{}, "class_name", "", {"loss"}, {{"batch_size", {"32"}}, {"classifier", {"kde"}}}, ""});
  EXPECT_EQ(drawn.kind, FigureKind::bars);
  ASSERT_EQ(drawn.x_names.size(), 2u);
  EXPECT_EQ(drawn.x_names[0].second, "t-shirt");
  EXPECT_THAT(drawn.notes.front(), HasSubstr("mean over seeds ± their sample deviation (3 seeds)"));
}

TEST_F(FigureTest, DrawsTwoFieldsAsAHeatMap) {
  const Figure drawn = made({{}, "batch_size", "classifier", {"loss"}, {}, ""});
  EXPECT_EQ(drawn.kind, FigureKind::heat);
  ASSERT_EQ(drawn.panels.size(), 2u);
  EXPECT_THAT(drawn.y_names, ElementsAre("kde", "gde"));
  EXPECT_FALSE(drawn.y_grows);
  ASSERT_EQ(drawn.panels[1].grid.size(), 2u);
  EXPECT_NEAR(*drawn.panels[1].grid[1][3] - *drawn.panels[0].grid[0][0], 100 * (0.02 + 0.03 + 0.03),
              1e-9);
}

TEST_F(FigureTest, ALineBreaksWhereACellLacksAScore) {
  Trial missing = trial(4, 1, 128);
  std::vector<Trial> more = trials_;
  more.push_back(missing);
  store_.record_sweep(spec(), expansion(more, {kKde, kGde}));
  const Figure drawn = made({{}, "batch_size", "", {"loss", "classifier"}, {}, ""});
  const Series& series = drawn.panels[0].series[0];
  EXPECT_THAT(xs(series), ElementsAre(8, 16, 32, 64, 128));
  EXPECT_FALSE(series.points.back().y);
  EXPECT_THAT(joined(drawn.notes), HasSubstr("lack planned scores"));
}

TEST_F(FigureTest, RefusesWhatATableWouldRefuse) {
  const auto refusal = [&](const FigureOptions& options) {
    return message_of([&] { made(options); });
  };
  EXPECT_THAT(refusal({{}, "batchsize", "", {}, {}, ""}), HasSubstr("did you mean 'batch_size'"));
  EXPECT_THAT(refusal({{}, "batch_size", "", {"loss"}, {}, ""}), HasSubstr("would mix classifier"));
  EXPECT_THAT(refusal({FigureKind::lines, "classifier", "", {"loss", "batch_size"}, {}, ""}),
              HasSubstr("--kind bars"));
  EXPECT_THAT(refusal({FigureKind::heat, "batch_size", "", {}, {}, ""}), HasSubstr("two axes"));
  EXPECT_THAT(refusal({FigureKind::bars, "loss", "batch_size", {}, {}, ""}), HasSubstr("heat map"));
}

TEST_F(FigureTest, RefusesMoreSeriesThanEyesTellApart) {
  std::vector<Trial> many;
  for (std::int64_t i = 0; i < 8; ++i) {
    Trial one = trial(0, 1, 32);
    one.temperature = 0.1 * static_cast<double>(i + 1);
    many.push_back(canonical(one));
  }
  store_.record_sweep(spec("many"), expansion(many));
  EXPECT_THAT(message_of([&] {
                figure(store_.results("many"), {{}, "batch_size", "", {"temperature"}, {}, ""});
              }),
              HasSubstr("temperature has 8 values, and a picture tells 7 apart"));
}

TEST_F(FigureTest, AveragesCurvesOverClassesWithinSeedsAndThenOverSeeds) {
  FigureOptions options;
  options.by = {"loss", "batch_size"};
  const Figure drawn = curves(options);
  ASSERT_EQ(drawn.panels.size(), 2u);
  ASSERT_EQ(drawn.panels[0].series.size(), 4u);
  EXPECT_EQ(drawn.panels[0].series[1].name, "batch size 16");
  const Series& series = drawn.panels[1].series[2];
  EXPECT_THAT(xs(series), ElementsAre(1, 2, 3));
  // Seeds 1, 2, 3 times the epoch, and classes 0 and 10.
  EXPECT_DOUBLE_EQ(*series.points[2].y, 3 * 2 + 5);
  EXPECT_DOUBLE_EQ(*series.points[2].spread, 3);
}

TEST_F(FigureTest, DrawsWhatTheSpecNames) {
  Spec named = spec("named");
  named.text = R"({"figures": {"bars": {"x": "class_name", "by": "loss,batch_size",
                                        "where": {"classifier": "kde"}},
                               "loss": {"kind": "curves", "by": "loss,batch_size"}}})";
  store_.record_sweep(named, expansion(trials_, {kKde, kGde}));
  const auto figures = named_figures(store_, "named");
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].first, "bars");
  const SweepResults results = store_.results("named");
  EXPECT_EQ(figure(store_, results, options_of(figures[0].second)).kind, FigureKind::bars);
  EXPECT_EQ(figure(store_, results, options_of(figures[1].second)).kind, FigureKind::curves);
  EXPECT_TRUE(named_figures(store_, "sweep").empty());
}

TEST_F(FigureTest, RefusesACurveThatWouldMixBuilds) {
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("UPDATE attempt SET build = 'build-2' WHERE lease = 1");
  FigureOptions options;
  options.by = {"loss", "batch_size"};
  EXPECT_THAT(message_of([&] { curves(options); }), HasSubstr("curves of builds"));
  options.pool = true;
  EXPECT_EQ(curves(options).panels.size(), 2u);
  options.x = "batch_size";
  EXPECT_THAT(message_of([&] { curves(options); }), HasSubstr("the epochs there"));
}

TEST_F(FigureTest, RefusesACurveThatWouldMixTrainings) {
  FigureOptions options;
  options.by = {"loss"};
  EXPECT_THAT(message_of([&] { curves(options); }), HasSubstr("would mix batch_size 8 and 16"));
  options.where = {{"batch_size", {"8"}}};
  EXPECT_EQ(curves(options).panels[0].series.size(), 2u);
  options.by = {"classifier"};
  EXPECT_THAT(message_of([&] { curves(options); }), HasSubstr("one curve for all"));
  options.by = {"loss"};
  options.y = "train_los";
  EXPECT_THAT(message_of([&] { curves(options); }), HasSubstr("did you mean 'train_loss'"));
}

TEST_F(FigureTest, PutsReferencesRightOfTheAxis) {
  SweepResults results = store_.results();
  TableSpec table{
      {"batch_size"}, {"loss", "classifier"}, {}, {{"small", {{"batch_size", {"8"}}}}}, ""};
  results.tables = {{"main", table}};
  const Figure drawn = figure(results, {});
  ASSERT_EQ(drawn.x_names.size(), 1u);
  EXPECT_EQ(drawn.x_names[0].second, "small");
  EXPECT_GT(drawn.x_names[0].first, 64);
  EXPECT_THAT(xs(drawn.panels[0].series[0]), ElementsAre(16, 32, 64, drawn.x_names[0].first));
}

TEST_F(FigureTest, PutsWhatHasNoNumberRightOfTheAxisToo) {
  Expansion plan = expansion({trial(0, 1, 8), trial(0, 1, 64)}, {kKde, kPixelsKde});
  store_.record_sweep(spec("pixels"), plan);
  for (const PlannedTrial& one : plan.trials)
    store_.record_outcome(
        outcome(one.trial, begin(store_, one.trial),
                {evaluation(kKde, 0.75), evaluation(kGde, 0.75), evaluation(kPixelsKde, 0.5)}));
  const Figure drawn =
      figure(store_.results("pixels"), {{}, "batch_size", "", {"features"}, {}, ""});
  ASSERT_EQ(drawn.x_names.size(), 1u);
  EXPECT_EQ(drawn.x_names[0].second, "–");
  EXPECT_THAT(xs(drawn.panels[0].series[0]), ElementsAre(8, 64));
  EXPECT_THAT(xs(drawn.panels[0].series[1]), ElementsAre(drawn.x_names[0].first));
  EXPECT_DOUBLE_EQ(*drawn.panels[0].series[1].points[0].y, 50);
}

// As of dates for seeds: the axis is narrow beside its numbers.
TEST_F(FigureTest, TellsNumbersFromNamesHoweverCloseTheyAre) {
  SweepResults results = store_.results();
  for (Result& one : results.results) one.trial.seed += 20'230'100;
  results.tables = {
      {"main", {{"seed"}, {"loss", "classifier"}, {}, {{"one", {{"seed", {"20230101"}}}}}, ""}}};
  results.tables[0].second.where = {{"batch_size", {"8"}}};
  const Figure drawn = figure(results, {});
  EXPECT_THAT(xs(drawn.panels[0].series[0]),
              ElementsAre(20'230'102, 20'230'103, drawn.x_names.at(0).first));
  EXPECT_GT(end_of_numbers(drawn), 20'230'103);
  EXPECT_LT(end_of_numbers(drawn), drawn.x_names[0].first);
  EXPECT_THAT(gnuplot_script(drawn, FigureFormat::svg, "x.svg"),
              HasSubstr("\"20230102\" 20230102"));
}

// A plain block beside an ablation of it has no variant's name.
TEST_F(FigureTest, NamesEverySeriesInTheLegend) {
  Figure drawn = made({{}, "batch_size", "", {"loss", "classifier"}, {}, ""});
  drawn.panels[0].series[0].name = "";
  const Layout layout = layout_of(drawn);
  ASSERT_EQ(layout.legend.size(), 2u);
  EXPECT_THAT(legend_of(drawn, layout), HasSubstr("set label 201 \"–\""));
  for (Series& series : drawn.panels[0].series) series.name = "";
  EXPECT_TRUE(layout_of(drawn).legend.empty());
}

TEST_F(FigureTest, LaysPanelsOutWithoutOverlapInsideThePicture) {
  for (const std::size_t count : {1u, 2u, 3u, 4u, 7u}) {
    Figure drawn = made({{}, "batch_size", "", {"loss", "classifier"}, {}, ""});
    drawn.panels.resize(count, drawn.panels.front());
    const Layout layout = layout_of(drawn);
    ASSERT_EQ(layout.panels.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const Box& a = layout.panels[i];
      EXPECT_TRUE(0 < a.left && a.left < a.right && a.right < 1);
      EXPECT_TRUE(0 < a.bottom && a.bottom < a.top && a.top < 1);
      for (const auto& [x, y] : layout.legend) EXPECT_LT(y, a.bottom);
      for (std::size_t k = 0; k < i; ++k) {
        const Box& b = layout.panels[k];
        EXPECT_TRUE(a.left > b.right || b.left > a.right || a.bottom > b.top || b.bottom > a.top);
      }
    }
  }
}

}  // namespace
}  // namespace occam
