#include "results/table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "results/printed_cell.h"
#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// ---- the numbers ----

TEST(Ablation, AveragesOverClassesWithinASeedAndThenOverSeeds) {
  Plan plan;
  plan.done(trial(0, 1), kKde, 0.8).done(trial(1, 1), kKde, 0.9);  // mean 0.85
  plan.done(trial(0, 2), kKde, 0.7).done(trial(1, 2), kKde, 0.9);  // mean 0.80
  plan.done(trial(0, 3), kKde, 0.9).done(trial(1, 3), kKde, 0.9);  // mean 0.90
  const Cell cell = ablation(plan.sweep(), kByBatchSize).cells[0][0];
  EXPECT_NEAR(*cell.mean, 0.85, 1e-15);
  EXPECT_NEAR(*cell.deviation, 0.05, 1e-15);  // of 0.85, 0.80, 0.90, over n - 1
  EXPECT_EQ(cell.seeds, 3);
  EXPECT_EQ(cell.classes, 2);
  EXPECT_EQ(counts(cell), "3x2");
}

TEST(Ablation, WeighsSeedsEquallyWhereOneHasFewerClasses) {
  Plan plan;
  plan.done(trial(0, 1), kKde, 0.8).done(trial(1, 1), kKde, 0.6);
  plan.done(trial(0, 2), kKde, 0.9);  // class 1 is not planned under this seed
  const Cell cell = ablation(plan.sweep(), kByBatchSize).cells[0][0];
  EXPECT_NEAR(*cell.mean, (0.7 + 0.9) / 2, 1e-15);
  EXPECT_EQ(counts(cell), "3");
}

TEST(Ablation, HasNoDeviationOfOneSeed) {
  const Cell cell =
      ablation(Plan().done(trial(0), kKde, 0.8).done(trial(1), kKde, 0.9).sweep(), kByBatchSize)
          .cells[0][0];
  EXPECT_NEAR(*cell.mean, 0.85, 1e-15);
  EXPECT_FALSE(cell.deviation);
}

TEST(Ablation, SortsNumbersByValueAndNamesByThePlan) {
  Plan plan;
  for (const std::int64_t batch_size : {128, 32, 512})
    plan.done(trial(0, 1, batch_size), kGde, 0.8).done(trial(0, 1, batch_size), kKde, 0.8);
  const Table table = ablation(plan.sweep(), kByBatchSize);
  EXPECT_EQ(table.rows, (std::vector<std::vector<std::string>>{{"32"}, {"128"}, {"512"}}));
  EXPECT_EQ(table.columns, (std::vector<std::vector<std::string>>{{"gde"}, {"kde"}}));
}

// ---- incomplete cells ----

TEST(Ablation, GivesAnIncompleteCellNoMeanUnlessPartial) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 9; ++inlier) plan.done(trial(inlier), kKde, 0.8);
  plan.missing(trial(9), kKde);
  const Table table = ablation(plan.sweep(), kByBatchSize);
  EXPECT_FALSE(table.cells[0][0].mean);
  EXPECT_EQ(counts(table.cells[0][0]), "9/10 classes");
  TableOptions partial = kByBatchSize;
  partial.partial = true;
  EXPECT_NEAR(*ablation(plan.sweep(), partial).cells[0][0].mean, 0.8, 1e-15);
}

TEST(Ablation, SaysWhichKindOfScoresACellLacks) {
  Plan seeds;
  seeds.done(trial(0, 1), kKde, 0.8).done(trial(1, 1), kKde, 0.8);
  seeds.missing(trial(0, 2), kKde).missing(trial(1, 2), kKde);
  EXPECT_EQ(counts(ablation(seeds.sweep(), kByBatchSize).cells[0][0]), "1/2 seeds");
  Plan ragged;
  ragged.done(trial(0, 1), kKde, 0.8).done(trial(1, 1), kKde, 0.8).done(trial(0, 2), kKde, 0.8);
  ragged.missing(trial(1, 2), kKde);
  EXPECT_EQ(counts(ablation(ragged.sweep(), kByBatchSize).cells[0][0]), "3/4");
  Plan none;
  none.missing(trial(0), kKde);
  EXPECT_EQ(counts(ablation(none.sweep(), kByBatchSize).cells[0][0]), "0/1");
}

TEST(Ablation, CountsDivergedAndFailedTrials) {
  Plan plan;
  plan.done(trial(0), kKde, 0.8).diverged(trial(1), kKde).missing(trial(2), kKde, true);
  const Table table = ablation(plan.sweep(), kByBatchSize);
  EXPECT_EQ(table.cells[0][0].diverged, 1);
  EXPECT_EQ(table.cells[0][0].failed, 1);
  EXPECT_EQ(counts(table.cells[0][0]), "1/3 classes, 1 diverged, 1 failed");
  EXPECT_THAT(table.notes, testing::Contains(HasSubstr("1 diverged")));
}

TEST(Ablation, TellsWhatHasNoMeaningFromWhatIsMissing) {
  const EvaluationRequest rotation{Features::logit, Classifier::rotation, {}};
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  rotating = canonical(rotating);
  Plan plan;
  plan.done(trial(0), kKde, 0.8).missing(rotating, kKde).done(rotating, rotation, 0.7);
  const Table table = ablation(plan.sweep(), by({"loss"}, {"classifier"}));
  EXPECT_TRUE(table.cells[1][0].applies);
  EXPECT_FALSE(table.cells[0][1].applies);
  const std::string text = render(table, TableFormat::text);
  EXPECT_THAT(text, HasSubstr("…"));
  EXPECT_THAT(text, HasSubstr("–: has no meaning"));
}

// ---- the best ----

TEST(Ablation, SharesTheBestAmongCellsThatPrintTheSame) {
  Plan plan;
  plan.done(trial(0, 1, 16), kKde, 0.9124).done(trial(0, 1, 32), kKde, 0.9116);
  plan.done(trial(0, 1, 64), kKde, 0.9114);
  const Table table = ablation(plan.sweep(), kByBatchSize);
  EXPECT_TRUE(table.cells[0][0].best);   // 91.2
  EXPECT_TRUE(table.cells[1][0].best);   // 91.2
  EXPECT_FALSE(table.cells[2][0].best);  // 91.1
}

TEST(Ablation, CallsNoIncompleteAndNoLoneCellTheBest) {
  Plan plan;
  plan.done(trial(0, 1, 16), kKde, 0.7).done(trial(1, 1, 16), kKde, 0.7);
  plan.done(trial(0, 1, 32), kKde, 0.9).missing(trial(1, 1, 32), kKde);
  TableOptions partial = kByBatchSize;
  partial.partial = true;
  const Table table = ablation(plan.sweep(), partial);
  EXPECT_FALSE(table.cells[0][0].best);
  EXPECT_FALSE(table.cells[1][0].best);
}

// ---- references ----

Trial untrained(std::int64_t inlier) {
  Trial one = trial(inlier);
  one.epochs = 0;
  return canonical(one);
}

TEST(Ablation, PutsReferencesBelowAndOutOfTheCompetition) {
  Plan plan;
  plan.done(trial(0, 1, 32), kKde, 0.7).done(trial(0, 1, 64), kKde, 0.8);
  plan.done(untrained(0), kKde, 0.9);
  TableOptions options = kByBatchSize;
  options.spec.references = {{"untrained", {{"epochs", {"0"}}}}};
  const Table table = ablation(plan.sweep(), options);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.references, 1u);
  EXPECT_EQ(table.rows[2], std::vector<std::string>{"untrained"});
  EXPECT_EQ(table.cells[2][0].mean, 0.9);
  EXPECT_FALSE(table.cells[2][0].best);
  EXPECT_TRUE(table.cells[1][0].best);
}

TEST(Ablation, AReferenceWithoutAColumnsFieldStandsInEveryColumn) {
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  rotating = canonical(rotating);
  Plan plan;
  // Pixels score the same under both trainings, and once each.
  for (const Trial& one : {trial(0), rotating})
    plan.done(one, kKde, 0.8).done(one, kPixelsKde, 0.6);
  TableOptions options = by({"batch_size"}, {"loss", "classifier"});
  options.spec.where = {{"features", {"pool"}}};
  options.spec.references = {{"pixels", {{"features", {"pixels"}}}}};
  const Table table = ablation(plan.sweep(), options);
  ASSERT_EQ(table.columns.size(), 2u);
  for (const Cell& cell : table.cells[1]) {
    EXPECT_EQ(cell.mean, 0.6);
    EXPECT_EQ(counts(cell), "1x1");
  }
}

// ---- what must not be mixed ----

TEST(Ablation, RefusesToAverageOverAFieldAndNamesTheWayOut) {
  Trial warm = trial(0);
  warm.temperature = 0.5;
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(warm, kKde, 0.8);
  const std::string said = message_of([&] { ablation(plan.sweep(), kByBatchSize); });
  EXPECT_THAT(said, testing::AllOf(HasSubstr("temperature 0.2, 0.5"),
                                   HasSubstr("--rows batch_size,temperature"),
                                   HasSubstr("--where temperature=0.2")));
  EXPECT_EQ(ablation(plan.sweep(), by({"batch_size", "temperature"}, {"classifier"})).rows.size(),
            2u);
}

TEST(Ablation, RefusesBeforeTheScoresAreThere) {
  Trial warm = trial(0);
  warm.temperature = 0.5;
  const Plan plan = Plan().missing(trial(0), kKde).missing(warm, kKde);
  EXPECT_THROW(ablation(plan.sweep(), kByBatchSize), UsageError);
}

TEST(Ablation, TakesFieldsThatFollowTheRow) {
  Trial large = trial(0, 1, 64);
  large.learning_rate = 0.02;
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(large, kKde, 0.8);
  EXPECT_NO_THROW(ablation(plan.sweep(), kByBatchSize));
}

TEST(Ablation, RefusesToMixClassifierParameters) {
  EvaluationRequest narrow = kKde;
  narrow.parameters.gamma_scale = 1;
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(trial(0), narrow, 0.8);
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), kByBatchSize); }),
              HasSubstr("parameters defaults, gamma_scale=1;"));
}

TEST(Ablation, RefusesToMixBuildsAndDataUnlessPooled) {
  TableOptions pool = kByBatchSize;
  pool.pool = true;
  const Plan builds = Plan().done(trial(0), kKde, 0.7, "b1").done(trial(1), kKde, 0.8, "b2");
  EXPECT_THAT(message_of([&] { ablation(builds.sweep(), kByBatchSize); }),
              testing::AllOf(HasSubstr("b1 and b2"), HasSubstr("--pool")));
  EXPECT_NO_THROW(ablation(builds.sweep(), pool));
  const Plan data = Plan().done(trial(0), kKde, 0.7).done(trial(1), kKde, 0.8, "b1", "d2");
  EXPECT_THAT(message_of([&] { ablation(data.sweep(), kByBatchSize); }),
              HasSubstr("fashion-mnist"));
  EXPECT_NO_THROW(ablation(data.sweep(), pool));
}

// Images of the user's own: each source is a data set, with contents of its own.
TEST(Ablation, TakesSourcesAsDataSets) {
  const auto of = [](const std::string& source, std::int64_t seed) {
    Trial one = trial(0, seed);
    one.dataset = Dataset::folder;
    one.source = {source, "content of " + source, 90, 40, 64};
    return canonical(one);
  };
  Plan plan;
  for (const std::int64_t seed : {1, 2})
    plan.done(of("screws", seed), kKde, 0.8, "b1", "d-screws")
        .done(of("nails", seed), kKde, 0.6, "b1", "d-nails");
  TableOptions options = by({"source"}, {"classifier"});
  options.spec.mean = true;
  Table table = ablation(plan.sweep(), options);
  ASSERT_EQ(table.rows.size(), 3u);  // and their mean
  EXPECT_EQ(table.rows[0], std::vector<std::string>{"screws"});
  EXPECT_NEAR(*table.cells[1][0].mean, 0.6, 1e-15);
  EXPECT_NEAR(*table.cells[2][0].mean, 0.7, 1e-15);
  EXPECT_EQ(table.cells[2][0].classes, 2);

  options = by({"loss"}, {"classifier"});
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), options); }),
              testing::AllOf(HasSubstr("source screws, nails"), HasSubstr("with --mean")));
  options.spec.mean = true;
  table = ablation(plan.sweep(), options);
  EXPECT_NEAR(*table.cells[0][0].mean, 0.7, 1e-15);
  EXPECT_EQ(counts(table.cells[0][0]), "2x2");

  plan.done(of("screws", 3), kKde, 0.8, "b1", "d-other");
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), by({"source"}, {"classifier"})); }),
              HasSubstr("different contents of folder 'screws' (d-other and d-screws)"));
}

TEST(Ablation, RefusesUnknownFieldsAndFiltersThatMatchNothing) {
  const Plan plan = Plan().done(trial(0), kKde, 0.7).done(trial(5), kKde, 0.8);
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), by({"bach_size"}, {"classifier"})); }),
              HasSubstr("did you mean 'batch_size'?"));
  TableOptions filtered = kByBatchSize;
  filtered.spec.where = {{"class", {"sandal"}}, {"learning_rate", {"1e-2"}}};
  EXPECT_EQ(ablation(plan.sweep(), filtered).cells[0][0].mean, 0.8);
  filtered.spec.where = {{"weight_decay", {"0.0003", "3e-4", "3e-04"}}, {"parameters", {"{ }"}}};
  EXPECT_TRUE(ablation(plan.sweep(), filtered).cells[0][0].mean);
  filtered.spec.where = {{"classifier", {"kd"}}};
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), filtered); }),
              testing::AllOf(HasSubstr("classifier=kd"), HasSubstr("did you mean 'kde'?")));
}

// ---- what the table says beside its cells ----

const std::string kOneSeed = "one seed: no deviation between seeds can be had";

TEST(Ablation, SaysWhatABatchSizeTableHeldFixed) {
  const Plan epochs = Plan().done(trial(0, 1, 16), kKde, 0.7).done(trial(0, 1, 512), kKde, 0.8);
  EXPECT_EQ(ablation(epochs.sweep(), kByBatchSize).notes,
            (std::vector<std::string>{"held fixed: epochs 20 (updates 7500 … 220)", kOneSeed}));
  Plan steps;
  for (const std::int64_t batch_size : {16, 512}) {
    Trial one = trial(0, 1, batch_size);
    one.epochs = Trial{}.epochs;
    one.steps = 150;
    steps.done(canonical(one), kKde, 0.7);
  }
  EXPECT_EQ(ablation(steps.sweep(), kByBatchSize).notes,
            (std::vector<std::string>{"held fixed: steps 150", kOneSeed}));
}

TEST(Ablation, SaysWhenScoresAreOfASubset) {
  EvaluationRequest subset = kKde;
  subset.parameters.test_limit = 1000;
  const Plan plan = Plan().done(trial(0), subset, 0.7);
  EXPECT_THAT(ablation(plan.sweep(), kByBatchSize).notes,
              testing::Contains("scored on a subset of 1000 test rows"));
}

TEST(Ablation, TakesTheSpecsTableAndElseWhatVaries) {
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  rotating = canonical(rotating);
  Plan plan;
  for (const Trial& one : {trial(0), rotating}) plan.done(one, kKde, 0.8).done(one, kGde, 0.6);
  const Table usual = ablation(plan.sweep(), {});
  EXPECT_EQ(usual.row_fields, std::vector<std::string>{"loss"});
  EXPECT_EQ(usual.column_fields, std::vector<std::string>{"classifier"});

  TableSpec spec = by({"classifier"}, {"loss"}).spec;
  spec.where = {{"loss", {"rotation"}}};
  plan.table(spec);
  EXPECT_EQ(ablation(plan.sweep(), {}).row_fields, std::vector<std::string>{"classifier"});
  EXPECT_EQ(ablation(plan.sweep(), {}).columns.size(), 1u);
  TableOptions other;
  other.spec.where = {{"loss", {"contrastive", "rotation"}}};
  EXPECT_EQ(ablation(plan.sweep(), other).columns.size(), 2u);
}

// ---- formats ----

Plan small_sweep() {
  Trial rotating = trial(0, 1, 64);
  rotating.loss = Loss::rotation;
  rotating = canonical(rotating);
  Trial again = rotating;
  again.seed = 2;
  Plan plan;
  plan.done(trial(0, 1, 64), kKde, 0.75).done(trial(0, 2, 64), kKde, 0.8125);
  plan.done(rotating, kKde, 0.5).missing(again, kKde);
  plan.done(trial(0, 1, 512), kKde, 1).done(trial(0, 2, 512), kKde, 1);
  plan.done(untrained(0), kKde, 0.625);
  return plan;
}

TableOptions small_options() {
  TableOptions options = by({"batch_size"}, {"loss", "classifier"});
  options.spec.references = {{"untrained", {{"epochs", {"0"}}}}};
  options.spec.caption = "Größe";
  return options;
}

TEST(Render, LinesTextUpUnderItsHeaders) {
  EXPECT_EQ("\n" + render(ablation(small_sweep().sweep(), small_options()), TableFormat::text), R"(
Größe
AUROC in %: mean over the classes of each seed, then over seeds ± their sample deviation (seeds x classes)

            contrastive         rotation
batch_size  kde                 kde
─────────────────────────────────────────────
64           78.1 ± 4.4  (2x1)  … (1/2 seeds)
512         100.0 ± 0.0* (2x1)  –
─────────────────────────────────────────────
untrained    62.5        (1x1)  –

*: best of its column, to the printed precision
held fixed: epochs 20 (updates 1860 … 220)
…: 1 of 6 cells lack planned scores, so they have no mean (see --partial)
–: has no meaning, or is not planned in this sweep
)");
}

TEST(Render, MarksTheBestRightBehindItsDeviation) {
  Plan plan;
  plan.done(trial(0, 1, 16), kKde, 0.5).done(trial(0, 2, 16), kKde, 0.75);
  plan.done(trial(0, 1, 32), kKde, 0.875).done(trial(0, 2, 32), kKde, 0.75);
  const std::string text = render(ablation(plan.sweep(), kByBatchSize), TableFormat::text);
  EXPECT_THAT(text, HasSubstr("62.5 ± 17.7  (2x1)"));
  EXPECT_THAT(text, HasSubstr("81.2 ±  8.8* (2x1)"));
}

TEST(Render, LeavesATestLimitThatAllShareToTheNote) {
  EvaluationRequest narrow = kKde, usual = kKde;
  narrow.parameters = {0.5, 1, 2000};
  usual.parameters.test_limit = 2000;
  Plan plan = Plan().done(trial(0), narrow, 0.7).done(trial(0), usual, 0.8);
  const TableOptions options = by({"batch_size"}, {"parameters"});
  const std::string text = render(ablation(plan.sweep(), options), TableFormat::text);
  EXPECT_THAT(text, AllOf(HasSubstr("  gamma_scale=1  defaults\n"), Not(HasSubstr("test_limit"))));
  EXPECT_THAT(text, HasSubstr("scored on a subset of 2000 test rows"));
  TableOptions one = options;
  one.spec.where = {{"parameters", {"test_limit=2e3 gamma_scale=1.0"}}};
  EXPECT_THAT(render(ablation(plan.sweep(), one), TableFormat::text), Not(HasSubstr("defaults")));
  one.spec.where = {{"parameters", {"defaults"}}};  // which are others than these
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), one); }),
              HasSubstr("has parameters=defaults"));
  one.spec.where = {{"parameters", {""}}};
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), one); }), HasSubstr("has parameters=;"));
  one.spec.where = {{"parameters", {"k=5"}}};
  EXPECT_THAT(message_of([&] { ablation(plan.sweep(), one); }),
              HasSubstr("parameters is: gamma_scale=1 test_limit=2000, test_limit=2000"));
  plan.done(trial(0), kKde, 0.9);
  EXPECT_THAT(render(ablation(plan.sweep(), options), TableFormat::text),
              HasSubstr("  test_limit=2000 "));
}

TEST(Render, LetsNoLabelBecomeHtml) {
  Plan plan = Plan().variant("<b>a|b</b> & c").done(trial(0), kKde, 0.7);
  EXPECT_THAT(render(ablation(plan.sweep(), by({"variant"}, {"classifier"})), TableFormat::md),
              HasSubstr("| &lt;b&gt;a\\|b&lt;/b&gt; &amp; c |"));
}

TEST(Render, NamesTheFieldOfAColumnThatIsANumber) {
  const Plan plan = Plan().done(trial(0, 1, 16), kKde, 0.7).done(trial(0, 1, 32), kKde, 0.7);
  const Table table = ablation(plan.sweep(), by({"classifier"}, {"loss", "batch_size"}));
  EXPECT_THAT(render(table, TableFormat::text), HasSubstr("batch_size 16"));
  EXPECT_THAT(render(table, TableFormat::md), HasSubstr("| contrastive / batch_size 16 |"));
}

TEST(Render, WritesMarkdownAsAPipeTable) {
  const std::string text =
      render(ablation(small_sweep().sweep(), small_options()), TableFormat::md);
  EXPECT_THAT(text,
              HasSubstr("| batch_size | contrastive / kde | rotation / kde |\n|---|---:|---:|\n"
                        "| 64 | 78.1 ± 4.4 (2x1) | … (1/2 seeds) |\n"
                        "| 512 | **100.0 ± 0.0** (2x1) | – |\n"
                        "| *untrained* | 62.5 (1x1) | – |\n"));
}

TEST(Render, PutsColumnsThatAreTooManyForTheWidthBelow) {
  const Table table = ablation(small_sweep().sweep(), small_options());
  const std::string whole = render(table, TableFormat::text);
  EXPECT_EQ(render(table, TableFormat::text, 45), whole);
  EXPECT_THAT(render(table, TableFormat::text, 44), HasSubstr(R"(

            contrastive
batch_size  kde
──────────────────────────────
64           78.1 ± 4.4  (2x1)
512         100.0 ± 0.0* (2x1)
──────────────────────────────
untrained    62.5        (1x1)

            rotation
batch_size  kde
─────────────────────────
64          … (1/2 seeds)
512         –
─────────────────────────
untrained   –

*: best)"));
  EXPECT_EQ(render(table, TableFormat::text, 1), render(table, TableFormat::text, 44));
}

TEST(Render, WritesCsvLongAndAtFullPrecision) {
  const std::string text =
      render(ablation(small_sweep().sweep(), small_options()), TableFormat::csv);
  EXPECT_EQ("\n" + text, R"(
reference,batch_size,loss,classifier,metric,mean,std,ci95,paper_std,n,expected,seeds,classes,collapsed,diverged,failed,updates_least,updates_most,builds,data
,64,contrastive,kde,auroc,0.78125,0.04419417382415922,0.3970688980054592,0.04419417382415922,2,2,2,1,0,0,0,1860,1860,b1,d1
,64,rotation,kde,auroc,,,,,1,2,1,1,0,0,0,1860,1860,b1,d1
,512,contrastive,kde,auroc,1,0,0,0,2,2,2,1,0,0,0,220,220,b1,d1
,512,rotation,kde,auroc,,,,,0,0,0,0,0,0,0,,,,
untrained,,contrastive,kde,auroc,0.625,,,,1,1,1,1,0,0,0,0,0,b1,d1
untrained,,rotation,kde,auroc,,,,,0,0,0,0,0,0,0,,,,
)");
}

TEST(Render, WritesJsonWithTypedValues) {
  const auto records = nlohmann::json::parse(
      render(ablation(small_sweep().sweep(), small_options()), TableFormat::json));
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[0]["batch_size"], 64);
  EXPECT_EQ(records[0]["loss"], "contrastive");
  EXPECT_EQ(records[0]["mean"], 0.78125);
  EXPECT_TRUE(records[1]["mean"].is_null());
  EXPECT_EQ(records[4]["reference"], "untrained");
  EXPECT_TRUE(records[4]["batch_size"].is_null());
}

TEST(Render, GivesTheSameBytesWhateverOrderResultsCameIn) {
  Plan plan;
  std::mt19937 random(1);
  for (const std::int64_t batch_size : {64, 16, 512})
    for (std::int64_t seed = 1; seed <= 3; ++seed)
      for (std::int64_t inlier = 0; inlier < 10; ++inlier)
        for (const EvaluationRequest& request : {kKde, kGde})
          plan.done(trial(inlier, seed, batch_size), request,
                    static_cast<double>(random()) / static_cast<double>(std::mt19937::max()));
  SweepResults shuffled = plan.sweep();
  std::shuffle(shuffled.results.begin(), shuffled.results.end(), random);
  for (const TableFormat format :
       {TableFormat::text, TableFormat::md, TableFormat::csv, TableFormat::json})
    EXPECT_EQ(render(ablation(plan.sweep(), kByBatchSize), format),
              render(ablation(shuffled, kByBatchSize), format));
}

TEST_F(StoreTest, GivesTheSameTableHoweverManyAttemptsItTook) {
  const Expansion planned = expansion({trial(0), trial(1), trial(2)}, {kKde, kGde});
  const auto table_after = [&](const std::string& path, const std::vector<int>& order, int losses) {
    Store store(path, Store::Mode::write);
    store.record_sweep(spec(), planned);
    for (const int inlier : order) {
      for (int i = 0; i < losses; ++i)
        store.end_attempt(begin(store, trial(inlier)), AttemptState::lost, "");
      store.record_outcome(
          outcome(trial(inlier), begin(store, trial(inlier)),
                  {evaluation(kGde, 1.0 / (inlier + 3)), evaluation(kKde, 1.0 / (inlier + 7))}));
    }
    return render(ablation(store.results(), {}), TableFormat::csv);
  };
  EXPECT_EQ(table_after(path_, {0, 1, 2}, 0), table_after(path_ + "2", {2, 0, 1}, 3));
}

TEST(Render, QuotesWhatCsvAndMarkdownWouldMisread) {
  Trial grey = trial(0);
  grey.augmentations = AugmentationSet("hflip");
  Plan plan;
  plan.variant("a, \"b\" | c").done(trial(0), kKde, 0.5);
  plan.variant("baseline").done(canonical(grey), kKde, 0.5);
  const Table table = ablation(plan.sweep(), by({"variant"}, {"classifier"}));
  EXPECT_THAT(render(table, TableFormat::csv), HasSubstr("\"a, \"\"b\"\" | c\",kde,auroc,0.5"));
  EXPECT_THAT(render(table, TableFormat::md), HasSubstr("| a, \"b\" \\| c |"));
}

TEST(Render, MeasuresTextAsATerminalShowsIt) {
  EXPECT_EQ(display_width("kde"), 3u);
  EXPECT_EQ(display_width("91.2 ± 0.4"), 10u);
  EXPECT_EQ(display_width("Größe"), 5u);
  EXPECT_EQ(display_width("模型"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
}

}  // namespace
}  // namespace occam
