#include "results/report/report.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>

#include "results/report/html.h"
#include "results/report/trial_data.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ReportTest : public StoreTest {
 protected:
  ReportTest() : store_(path_, Store::Mode::write) {
    Spec named = spec("<b>sweep</b>");
    named.tables = {{"main", {{"batch_size"}, {"classifier"}, {}, {}, "AUROC & more"}}};
    store_.record_sweep(named, expansion({done_, failed_, waiting_}, {kKde, kGde}));
    const std::int64_t lease = begin(store_, done_);
    std::vector<Progress> curve;
    for (std::int64_t epoch = 1; epoch <= 1000; ++epoch)
      curve.push_back(
          {id_of(done_), lease, epoch, 1000, 1.0 / static_cast<double>(epoch), 0.5, 0.01, 100});
    store_.record_progress(curve);
    store_.record_outcome(
        outcome(done_, lease, {evaluation(kKde, 0.8125), evaluation(kGde, 1.0 / 3)}));
    store_.end_attempt(begin(store_, failed_), AttemptState::failed, "</script> no memory");
  }
  std::string page(const Drawer& drawer = [](const Figure&) { return "<svg/>"; }) const {
    return report(store_, store_.results(),
                  {"1.2.3", "abc", "5bec", "d16e57", {path_}, {}, "2026-01-01T00:00:00Z"}, drawer);
  }

  Trial done_ = trial(0), failed_ = trial(1), waiting_ = trial(0, 1, 64);
  Store store_;
};

TEST_F(ReportTest, HasTheWholeOfEveryTrial) {
  const TrialData data = trial_data(store_, store_.results());
  EXPECT_THAT(data.scores, ElementsAre("pool kde", "pool gde"));
  for (const char* column : {"class", "batch_size", "state"})
    EXPECT_THAT(data.varying, testing::Contains(column));
  EXPECT_EQ(data.constant["epochs"], 20);
  ASSERT_EQ(data.trials.size(), 3u);
  EXPECT_EQ(data.trials[0]["id"], id_of(done_));
  EXPECT_EQ(data.trials[0]["scores"][0][1], 0.8125);
  EXPECT_EQ(data.trials[0]["scores"][1][1], 0.333333);
  EXPECT_EQ(data.trials[0]["attempts"][0]["build"], "build-1");
  EXPECT_EQ(data.trials[0]["outcome"]["data"], "data-1");
  EXPECT_EQ(data.trials[1]["attempts"][0]["error"], "</script> no memory");
  EXPECT_FALSE(data.trials[1].contains("scores"));
  EXPECT_FALSE(data.trials[2].contains("attempts"));
}

TEST_F(ReportTest, ThinsALongCurveAndKeepsItsEnds) {
  const auto curve = trial_data(store_, store_.results()).trials[0]["curve"];
  EXPECT_LE(curve.size(), 61u);
  EXPECT_GE(curve.size(), 50u);
  EXPECT_EQ(curve.front()[0], 1);
  EXPECT_EQ(curve.back()[0], 1000);
}

TEST_F(ReportTest, ShowsTextsAsTheyAre) {
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("<h1>&lt;b&gt;sweep&lt;/b&gt;</h1>"));
  EXPECT_THAT(text, HasSubstr("<h3>AUROC &amp; more</h3>"));
  EXPECT_THAT(text, Not(HasSubstr("</script> no memory")));
  EXPECT_THAT(text, HasSubstr("\\u003c/script> no memory"));
}

// The words and marks of `occam table`.
TEST_F(ReportTest, ShowsTheTableAsItsSpecSaysIt) {
  Spec named = spec("differences");
  TableSpec table;
  table.rows = {"batch_size"};
  table.columns = {"classifier"};
  table.spread = Spread::ci95;
  table.baseline = {{"classifier", {"kde"}}};
  table.labels = {{"classifier", {{"gde", "Gaussian"}}}, {"batch_size", {{"", "Batch"}}}};
  named.tables = {{"main", table}};
  store_.record_sweep(named, expansion({done_}, {kKde, kGde}));
  const std::string text = page();
  for (const char* shown : {">Gaussian</button>", ">Batch</button>", "Δ -47.92",
                            "half of their 95 % t interval", "Δ: points above the baseline"})
    EXPECT_THAT(text, HasSubstr(shown));
}

TEST_F(ReportTest, SaysHowFarTheSweepIsAndWhoMadeThePage) {
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("<dt>trials done</dt><dd>1 of 3</dd>"));
  EXPECT_THAT(text, HasSubstr("<dt>failed</dt><dd>1</dd>"));
  EXPECT_THAT(text, HasSubstr("Made by occam 1.2.3 (abc) from " + path_ +
                              " on 2026-01-01T00:00:00Z; spec 5bec, "
                              "results d16e57."));
}

TEST_F(ReportTest, PutsAnErrorInTheFiguresPlace) {
  const std::string text =
      page([](const Figure&) -> std::string { throw Error("no gnuplot <here>"); });
  EXPECT_THAT(text, HasSubstr("AUROC &amp; more: not drawn. no gnuplot &lt;here&gt;"));
}

TEST_F(ReportTest, ShowsASweepThatHasNotBegun) {
  store_.record_sweep(spec("new"), expansion({trial(9)}));
  EXPECT_THAT(report(store_, store_.results("new"), {}, [](const Figure&) { return ""; }),
              HasSubstr("<dd>0 of 1</dd>"));
}

TEST_F(ReportTest, SaysWhyThereIsNoTable) {
  SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("UPDATE attempt SET build = 'build-0'");
  const std::int64_t lease = begin(store_, waiting_);
  store_.record_sweep(spec("mixed"), expansion({done_, waiting_}));
  store_.record_outcome(outcome(waiting_, lease, {evaluation(kKde, 0.5), evaluation(kGde, 0.5)}));
  EXPECT_THAT(page(), HasSubstr("No table: the table would mix results of builds"));
}

// RFC 4648, section 10.
TEST(Html, CarriesAPictureAsBase64) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : examples)
    EXPECT_EQ(image(plain, "a \"b\""), std::string("<img src=\"data:image/svg+xml;base64,") +
                                           coded + "\" alt=\"a &quot;b&quot;\">");
}

}  // namespace
}  // namespace occam
