// Errors planted in a database, one at a time: every format of the table shows each.
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "results/table.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr TableFormat kForPeople[] = {TableFormat::text, TableFormat::md, TableFormat::latex};

// Two losses at two batch sizes, two seeds of three classes, all with scores but for what is
// planted.
class PlantedErrors : public StoreTest {
 protected:
  struct Planted {
    // Which trials are planned, else all.
    std::function<bool(const Trial&)> planned = [](const Trial&) { return true; };
    // Records something else of a trial, and says so.
    std::function<bool(Store&, const Trial&)> instead = [](Store&, const Trial&) { return false; };
    std::vector<double> learning_rates = {0.01};
    std::int64_t steps = 100;
  };

  SweepResults recorded(const Planted& planted) const {
    std::vector<Trial> trials;
    for (const double rate : planted.learning_rates)
      for (const Loss loss : {Loss::contrastive, Loss::rotation})
        for (const std::int64_t batch_size : {16, 32})
          for (const std::int64_t seed : {1, 2})
            for (const std::int64_t inlier : {0, 1, 2}) {
              Trial one = trial(inlier, seed, batch_size);
              one.loss = loss;
              one.learning_rate = rate;
              one.steps = planted.steps;
              if (one.steps > 0) one.epochs = Trial{}.epochs;
              one = canonical(one);
              if (planted.planned(one)) trials.push_back(one);
            }
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion(trials));
    for (const Trial& one : trials)
      if (!planted.instead(store, one))
        store.record_outcome(
            outcome(one, begin(store, one), {evaluation(kKde, 0.8 + one.learning_rate)}));
    return store.results();
  }

  static TableOptions options() {
    TableOptions options;
    options.spec.rows = {"batch_size"};
    options.spec.columns = {"loss"};
    return options;
  }

  // What is planted lies at rotation and batch size 32.
  static bool is_there(const Trial& of) { return of.loss == Loss::rotation && of.batch_size == 32; }

  // The value of a column at rotation and batch size 32, which both long formats must agree on.
  static nlohmann::json there(const Table& table, const std::string& column) {
    for (const auto& record : nlohmann::json::parse(render(table, TableFormat::json))) {
      if (record.at("batch_size") != 32 || record.at("loss") != "rotation") continue;
      const nlohmann::json value = record.at(column);
      EXPECT_EQ(in_csv(render(table, TableFormat::csv), column), value.is_null() ? ""
                                                                 : value.is_string()
                                                                     ? value.get<std::string>()
                                                                     : value.dump());
      return value;
    }
    return "no such cell";
  }

 private:
  static std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> parts{""};
    for (const char one : line)
      if (one == ',')
        parts.emplace_back();
      else
        parts.back() += one;
    return parts;
  }
  static std::string in_csv(const std::string& text, const std::string& column) {
    std::stringstream stream(text);
    std::string line;
    std::getline(stream, line);
    const std::vector<std::string> names = split(line);
    const auto at = std::find(names.begin(), names.end(), column) - names.begin();
    while (std::getline(stream, line))
      if (line.rfind("32,rotation,", 0) == 0) return split(line).at(static_cast<std::size_t>(at));
    return "no such line";
  }
};

TEST_F(PlantedErrors, NoneAreSeenWhereNoneIs) {
  const Table table = ablation(recorded({}), options());
  EXPECT_EQ(table.notes, std::vector<std::string>{"held fixed: steps 100"});
  EXPECT_EQ(there(table, "n"), there(table, "expected"));
  EXPECT_EQ(there(table, "updates_most"), 100);
}

TEST_F(PlantedErrors, AMissingClass) {
  Planted planted;
  planted.instead = [](Store&, const Trial& of) {
    return is_there(of) && of.inlier == InlierClass{1};
  };
  const Table table = ablation(recorded(planted), options());
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format),
                AllOf(HasSubstr("(2/3 classes)"), HasSubstr("lack planned")));
  EXPECT_TRUE(there(table, "mean").is_null());
  EXPECT_EQ(there(table, "n"), 4);
  EXPECT_EQ(there(table, "expected"), 6);
}

TEST_F(PlantedErrors, UnequalSeeds) {
  Planted planted;
  planted.planned = [](const Trial& of) { return !is_there(of) || of.seed == 1; };
  const Table table = ablation(recorded(planted), options());
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format), HasSubstr("unequal seeds: 1 at 1 cell, 2 at 3 cells"));
  EXPECT_EQ(there(table, "seeds"), 1);
}

TEST_F(PlantedErrors, AMixedBuild) {
  Planted planted;
  planted.instead = [](Store& store, const Trial& of) {
    return is_there(of) && of.seed == 2 &&
           store.record_outcome(outcome(of, begin(store, of, "build-2"), {evaluation(kKde, 0.8)}));
  };
  const SweepResults results = recorded(planted);
  EXPECT_THAT(message_of([&] { ablation(results, options()); }),
              AllOf(HasSubstr("builds build-1 and build-2"), HasSubstr("--pool")));
  TableOptions pool = options();
  pool.pool = true;
  const Table table = ablation(results, pool);
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format), HasSubstr("pooled: results of builds build-1 and build-2"));
  EXPECT_EQ(there(table, "builds"), "build-1 | build-2");
}

TEST_F(PlantedErrors, MixedData) {
  Planted planted;
  planted.instead = [](Store& store, const Trial& of) {
    if (!is_there(of) || of.seed == 1) return false;
    Outcome other = outcome(of, begin(store, of), {evaluation(kKde, 0.8)});
    other.data = "data-2";
    return store.record_outcome(other);
  };
  const SweepResults results = recorded(planted);
  EXPECT_THAT(
      message_of([&] { ablation(results, options()); }),
      AllOf(HasSubstr("contents of fashion-mnist (data-1 and data-2)"), HasSubstr("--pool")));
  TableOptions pool = options();
  pool.pool = true;
  const Table table = ablation(results, pool);
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format), HasSubstr("(data-1 and data-2)"));
  EXPECT_EQ(there(table, "data"), "data-1 | data-2");
}

TEST_F(PlantedErrors, ACollapsedTraining) {
  Planted planted;
  planted.instead = [](Store& store, const Trial& of) {
    if (!is_there(of) || of.seed == 1 || of.inlier != InlierClass{0}) return false;
    Outcome collapsed = outcome(of, begin(store, of), {evaluation(kKde, 0.5)});
    collapsed.collapsed = "no spread";
    return store.record_outcome(collapsed);
  };
  const Table table = ablation(recorded(planted), options());
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format),
                AllOf(HasSubstr("(2x3, 1 collapsed)"), HasSubstr("judged by training data alone")));
  EXPECT_EQ(there(table, "collapsed"), 1);
  EXPECT_FALSE(there(table, "mean").is_null());
}

TEST_F(PlantedErrors, AnArmThatFailed) {
  Planted planted;
  planted.instead = [](Store& store, const Trial& of) {
    if (!is_there(of)) return false;
    store.end_attempt(begin(store, of), AttemptState::failed, "no memory");
    return true;
  };
  const Table table = ablation(recorded(planted), options());
  for (const TableFormat format : kForPeople)
    EXPECT_THAT(render(table, format),
                AllOf(HasSubstr("(0/6, 6 failed)"), HasSubstr("6 failed: not missing at random (6 "
                                                              "of 6 at ")));
  EXPECT_EQ(there(table, "failed"), 6);
  EXPECT_TRUE(there(table, "mean").is_null());
}

TEST_F(PlantedErrors, ALearningRateThatWasChosenOnTest) {
  Planted planted;
  planted.learning_rates = {0.01, 0.02, 0.05};
  const SweepResults results = recorded(planted);
  TableOptions selected = options(), picked = options();
  selected.spec.select = {"learning_rate"};
  selected.spec.select_on = "test";
  picked.spec.where = {{"learning_rate", {"0.05"}}};
  for (const TableOptions& chosen : {selected, picked}) {
    const Table table = ablation(results, chosen);
    EXPECT_THAT(render(table, TableFormat::text),
                AllOf(HasSubstr("85.0 ± 0.0*†"), HasSubstr("†: chosen on test")));
    EXPECT_THAT(render(table, TableFormat::md),
                AllOf(HasSubstr("**85.0 ± 0.0** †"), HasSubstr("†: chosen on test")));
    EXPECT_THAT(render(table, TableFormat::latex),
                AllOf(HasSubstr("0.0\\dag"), HasSubstr("\\dag{}: chosen on test")));
    EXPECT_EQ(there(table, "chosen_on"), "test");
    EXPECT_THAT(there(table, "chosen").get<std::string>(), HasSubstr("learning_rate=0.05"));
  }
}

TEST_F(PlantedErrors, UnequalUpdatesAcrossBatchSizes) {
  Planted planted;
  planted.steps = 0;  // twenty epochs
  const Table table = ablation(recorded(planted), options());
  for (const TableFormat format : {TableFormat::text, TableFormat::md})
    EXPECT_THAT(render(table, format), HasSubstr("held fixed: epochs 20 (updates 7500 … 3740)"));
  EXPECT_THAT(render(table, TableFormat::latex),
              HasSubstr("held fixed: epochs 20 (updates 7500 \\dots{} 3740)"));
  EXPECT_EQ(there(table, "updates_least"), 3740);
  EXPECT_EQ(there(table, "updates_most"), 3740);
}

}  // namespace
}  // namespace occam
