#include "results/schema.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include "tests/results/sample.h"

namespace occam {
namespace {

class Views : public StoreTest {
 protected:
  void record(const Trial& one, const std::vector<Evaluation>& evaluations) {
    std::vector<EvaluationRequest> requests;
    for (const Evaluation& each : evaluations) requests.push_back(each.request);
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({one}, requests));
    ASSERT_TRUE(store.record_outcome(outcome(one, begin(store, one), evaluations)));
  }

  // As any other program would ask.
  std::string ask(const std::string& sql) const {
    SQLite::Database database(path_);
    const auto value = database.execAndGet(sql);
    return value.isNull() ? "null" : value.getString();
  }
};

TEST_F(Views, HaveEveryFieldOfATrialAsAColumn) {
  record(trial(5, 2, 64), {evaluation(kKde, 0.75)});
  SQLite::Database database(path_);
  for (const char* view : {"results", "trials"})
    for (const std::string& field : field_names())
      EXPECT_NO_THROW(database.execAndGet("SELECT \"" + field + "\" FROM " + view)) << field;
  EXPECT_EQ(ask("SELECT batch_size FROM results WHERE class = 5 AND seed = 2"), "64");
  EXPECT_EQ(ask("SELECT class_name FROM results"), "sandal");
  EXPECT_EQ(ask("SELECT loss || ' ' || features || ' ' || classifier || ' ' || parameters "
                "FROM results"),
            "contrastive pool kde {}");
  EXPECT_EQ(ask("SELECT auroc FROM results"), "0.75");
  EXPECT_EQ(ask("SELECT state || attempts || failed_attempts FROM trials"), "completed10");
}

TEST_F(Views, GiveNullForAFieldThatDoesNotApply) {
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  record(canonical(rotating), {evaluation(kKde, 0.75)});
  EXPECT_EQ(ask("SELECT temperature FROM results"), "null");
  EXPECT_EQ(ask("SELECT temperature FROM trials"), "null");
  EXPECT_EQ(ask("SELECT batch_size FROM results"), "32");
}

TEST_F(Views, GiveNullForTheTrainingOfPixels) {
  record(trial(1), {evaluation(kKde, 0.75), evaluation(kPixelsKde, 0.5)});
  for (const std::string& field : field_names()) {
    if (field == "source") continue;  // null: the data set has none
    const bool known = field == "dataset" || field == "class" || field == "seed" ||
                       field == "train_limit" || field == "validation" || field == "extra";
    EXPECT_EQ(ask("SELECT \"" + field + "\" IS NULL FROM results WHERE features = 'pixels'"),
              known ? "0" : "1")
        << field;
    EXPECT_EQ(ask("SELECT \"" + field + "\" IS NULL FROM results WHERE features = 'pool'"), "0")
        << field;
  }
  EXPECT_EQ(ask("SELECT class_name FROM results WHERE features = 'pixels'"), "trouser");
}

TEST_F(Views, GiveTheDefaultForAFieldThatIsYoungerThanTheTrial) {
  record(trial(0), {evaluation(kKde, 0.75)});
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("UPDATE trial SET config = json_remove(config, '$.momentum', '$.precision')");
  EXPECT_EQ(ask("SELECT momentum FROM results"), "0.9");
  EXPECT_EQ(ask("SELECT precision FROM trials"), "fp32");
  EXPECT_EQ(id_of(Store(path_, Store::Mode::read).results().results[0].trial), id_of(trial(0)));
}

TEST_F(Views, AreBroughtToTheFieldsOfThisOccamAtTheNextWrite) {
  record(trial(0), {evaluation(kKde, 0.75)});
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("DROP VIEW results; CREATE VIEW results AS SELECT 1 AS old");
  { Store store(path_, Store::Mode::write); }
  EXPECT_EQ(ask("SELECT auroc FROM results"), "0.75");
}

TEST_F(Views, ShowOnlyTheScoresThatTheSweepAsksFor) {
  Store store(path_, Store::Mode::write);
  store.record_sweep(spec("both"), expansion({trial(0)}, {kKde, kGde}));
  ASSERT_TRUE(store.record_outcome(
      outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.5), evaluation(kGde, 0.6)})));
  store.record_sweep(spec("one"), expansion({trial(0)}, {kGde}));
  EXPECT_EQ(ask("SELECT group_concat(auroc) FROM results WHERE sweep = 'one'"), "0.6");
  EXPECT_EQ(ask("SELECT count(*) FROM results WHERE sweep = 'both'"), "2");
}

TEST_F(Views, ShowASourceByItsName) {
  Trial one = trial(0);
  one.dataset = Dataset::folder;
  one.source = {"screws", "0011223344556677", 90, 40, 64};
  record(canonical(one), {evaluation(kKde, 0.75)});
  EXPECT_EQ(ask("SELECT source || ' ' || class_name FROM results"), "screws good");
  EXPECT_EQ(ask("SELECT json_extract(config, '$.source.content') FROM trial"), "0011223344556677");
}

TEST_F(Views, HaveTheSplitOfEveryScoreAndWhyATrainingCollapsed) {
  Trial one = trial(0);
  one.validation = true;
  Evaluation held_out = evaluation(kKde, 0.5);
  held_out.request.split = Split::validation;
  record(canonical(one), {evaluation(kKde, 0.75), held_out});
  EXPECT_EQ(ask("SELECT group_concat(split || ' ' || auroc, ', ') FROM "
                "(SELECT * FROM results ORDER BY split)"),
            "test 0.75, validation 0.5");
  EXPECT_EQ(ask("SELECT DISTINCT collapsed = '' FROM results"), "1");
}

}  // namespace
}  // namespace occam
