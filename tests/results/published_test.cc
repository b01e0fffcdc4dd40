#include "results/published.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "results/printed_cell.h"
#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::Contains;
using testing::HasSubstr;

// ---- a store that holds what is in print gives what is in print ----

struct Printed {
  std::string method;  // and classifier: a column in print
  std::string dataset, place;
  double mean = 0, deviation = 0;
};

const nlohmann::json& file() {
  static const nlohmann::json all = [] {
    std::ifstream stream(OCCAM_SOURCE_DIR "/results/published.json");
    return nlohmann::json::parse(stream);
  }();
  return all;
}

// Of the data sets that this occam has.
std::vector<Printed> printed(const std::string& tables) {
  std::vector<Printed> all;
  const auto names = all_names<Dataset>();
  for (const auto& one : file().at("records")) {
    const std::string dataset =
        file().at("datasets").value(one.at("dataset").get<std::string>(), "all");
    const bool known =
        dataset == "all" || std::find(names.begin(), names.end(), dataset) != names.end();
    if (!known || tables.find(one.at("table").get<std::string>() + ",") == std::string::npos)
      continue;
    const std::string place = one.at("class");
    all.push_back(
        {one.at("method").get<std::string>() + ", " + one.at("classifier").get<std::string>(),
         dataset, file().at("classes").value(place, place), one.at("mean"),
         one.at("std").is_null() ? 0 : one.at("std").get<double>()});
  }
  return all;
}

constexpr const char* kByClass = "Table 8, Table 9, Table 10, Table 11,";

InlierClass class_of(const std::string& place) {
  if (place.find_first_not_of("0123456789") == std::string::npos) return std::stoll(place);
  return place;
}

class PublishedStore : public StoreTest {
 protected:
  // Five seeds a class with exactly the printed mean m and sample deviation s: m - s, m - s, m,
  // m + s, m + s. A column in print is a batch size here, which is an axis like any other.
  std::vector<std::pair<Trial, double>> scores_in_print() {
    std::vector<Printed> rows = printed(kByClass);
    // CelebA's one task stands in the summary alone; other rows of it have no classes in print.
    std::set<std::string> by_class;
    for (const Printed& row : rows) by_class.insert(row.method);
    for (const Printed& celeba : printed("Table 7,"))
      if (celeba.dataset == "celeba" && by_class.count(celeba.method) > 0) rows.push_back(celeba);
    std::vector<std::pair<Trial, double>> scores;
    for (const Printed& row : rows) {
      if (row.place == "mean") continue;
      const double steps[] = {-1, -1, 0, 1, 1};
      for (std::int64_t seed = 1; seed <= 5; ++seed) {
        Trial one = trial(0, seed, batch_size_of(row.method));
        one.dataset = from_name<Dataset>(row.dataset);
        one.inlier = class_of(row.place);
        scores.emplace_back(canonical(one), (row.mean + steps[seed - 1] * row.deviation) / 100);
      }
    }
    return scores;
  }

  SweepResults loaded() {
    const auto scores = scores_in_print();
    Expansion planned;
    planned.evaluations = {{kKde}};
    planned.variants = {""};
    for (const auto& [of, auroc] : scores) planned.trials.push_back({of, 0, 0});
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), planned);
    store.begin_group();
    for (const auto& [of, auroc] : scores)
      store.record_outcome(outcome(of, begin(store, of), {evaluation(kKde, auroc)}));
    store.commit_group();
    return store.results();
  }

  std::int64_t batch_size_of(const std::string& method) {
    return methods_.emplace(method, static_cast<std::int64_t>(16 + methods_.size())).first->second;
  }

  static const Cell* find(const Table& table, const std::string& row, const std::string& column) {
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      for (std::size_t j = 0; j < table.columns.size(); ++j)
        if (table.rows[i][0] == row && table.columns[j][0] == column) return &table.cells[i][j];
    return nullptr;
  }

  std::map<std::string, std::int64_t> methods_;
};

// Means and deviations in print are rounded to 0.1, and so are the values they are made of.
constexpr double kRounding = 0.1001;

TEST_F(PublishedStore, GivesEveryPrintedMeanAndDeviationOfADataSet) {
  TableOptions options = by({"batch_size"}, {"dataset"});
  options.spec.spread = Spread::paper;
  const Table table = ablation(loaded(), options);
  int compared = 0;
  for (const Printed& row : printed(kByClass)) {
    if (row.place != "mean") continue;
    const Cell* cell = find(table, std::to_string(batch_size_of(row.method)), row.dataset);
    ASSERT_TRUE(cell && cell->mean) << row.method << " on " << row.dataset;
    EXPECT_NEAR(100 * *cell->mean, row.mean, kRounding) << row.method << " on " << row.dataset;
    EXPECT_NEAR(100 * *spread_of(*cell, Spread::paper), row.deviation, kRounding)
        << row.method << " on " << row.dataset;
    ++compared;
  }
  EXPECT_EQ(compared, 40);
}

TEST_F(PublishedStore, GivesThePrintedMeanOverTheFortyThreeTasks) {
  TableOptions options = by({"batch_size"}, {"dataset"});
  options.spec.mean = true;
  const Table table = ablation(loaded(), options);
  int compared = 0;
  for (const Printed& row : printed("Table 7,")) {
    // Denoising's rows of Table 7 are not those of Tables 10 and 11.
    if (row.dataset != "all" || row.method.rfind("Denoising", 0) == 0 ||
        methods_.count(row.method) == 0)
      continue;
    const Cell* cell = find(table, std::to_string(batch_size_of(row.method)), "mean");
    ASSERT_TRUE(cell && cell->mean) << row.method;
    EXPECT_EQ(cell->classes, 43);
    EXPECT_NEAR(100 * *cell->mean, row.mean, kRounding) << row.method;
    ++compared;
  }
  EXPECT_EQ(compared, 8);
}

// ---- against what is in print ----

Trial released(std::int64_t inlier, std::int64_t seed, std::int64_t epochs = 2048) {
  Trial one;
  one.inlier = inlier;
  one.seed = seed;
  one.epochs = epochs;
  return canonical(one);
}

TableOptions against_print() {
  TableOptions options = by({"loss"}, {"classifier"});
  options.against = &PublishedValues::of_the_paper();
  return options;
}

TEST(AgainstPublished, ComparesADataSetsMeanByTheStandardErrorsOfBothSides) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 10; ++inlier)
    for (std::int64_t seed = 1; seed <= 3; ++seed)
      plan.done(released(inlier, seed), kKde, 0.9 + 0.01 * static_cast<double>(seed));
  const Table table = ablation(plan.sweep(), against_print());
  const auto& print = table.cells[0][0].published;
  ASSERT_TRUE(print);
  EXPECT_EQ(print->source, "Table 10");
  EXPECT_EQ(print->budget, "2048 of 2048 epochs");
  EXPECT_TRUE(print->same_budget);
  double squares = 0;
  for (const Printed& row : printed(kByClass)) {
    if (row.dataset != "fashion-mnist" || row.method != "Contrastive, KDE") continue;
    if (row.place == "mean")
      EXPECT_NEAR(print->mean, row.mean / 100, 1e-12);
    else
      squares += row.deviation * row.deviation / 1e4 / 5;
  }
  EXPECT_NEAR(*print->difference, 0.92 - print->mean, 1e-12);
  // Ours: ten classes of deviation 0.01 over three seeds.
  const double error = std::sqrt(squares + 10 * 1e-4 / 3) / 10;
  const double reach = (print->interval->high - print->interval->low) / 2;
  EXPECT_GT(reach, 1.96 * error);
  EXPECT_LT(reach, 2.2 * error);  // t of some 25 degrees
  EXPECT_EQ(table.spread, Spread::paper);
}

TEST(AgainstPublished, NeverCallsAShorterTrainingAReproduction) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 10; ++inlier)
    plan.done(released(inlier, 1, 20), kKde, 0.9);
  const Table table = ablation(plan.sweep(), against_print());
  EXPECT_THAT(table.notes, Contains("trained for 20 of 2048 epochs: not the same budget, so no "
                                    "reproduction"));
  EXPECT_FALSE(table.cells[0][0].published->interval);  // one seed
}

TEST(AgainstPublished, TakesTheClassesThatTheCellHas) {
  const Plan plan = Plan().done(released(0, 1), kKde, 0.9).done(released(5, 1), kKde, 0.9);
  const Cell cell = ablation(plan.sweep(), against_print()).cells[0][0];
  double sum = 0;
  for (const Printed& row : printed(kByClass))
    if (row.dataset == "fashion-mnist" && row.method == "Contrastive, KDE" &&
        (row.place == "0" || row.place == "5"))
      sum += row.mean / 200;
  EXPECT_NEAR(cell.published->mean, sum, 1e-12);
}

TEST(AgainstPublished, SaysWhatHasNoCounterpart) {
  Trial other = released(0, 1);
  other.batch_size = 256;
  EvaluationRequest narrow = kKde;
  narrow.parameters.gamma_scale = 1;
  Plan plan;
  plan.done(canonical(other), kKde, 0.9).done(released(0, 1), kKde, 0.8);
  TableOptions options = against_print();
  options.spec.rows = {"batch_size"};
  const Table table = ablation(plan.sweep(), options);
  EXPECT_TRUE(table.cells[0][0].published);
  EXPECT_FALSE(table.cells[1][0].published);
  EXPECT_THAT(table.notes, Contains(HasSubstr("1 without a counterpart in print: batch_size=256")));
  const Plan parameters = Plan().done(released(0, 1), narrow, 0.9);
  EXPECT_FALSE(ablation(parameters.sweep(), against_print()).cells[0][0].published);
}

TEST(AgainstPublished, ReadsAUsersFileAndSaysWhatIsWrongInIt) {
  const auto values = PublishedValues::parse(
      R"({"runs": 3, "datasets": {"F": "fashion-mnist"}, "methods": {"M": {"loss": "rotation"}},
          "classifiers": {"K": "kde"}, "records": [{"table": "T", "dataset": "F", "class": "0",
          "method": "M", "classifier": "K", "mean": 90, "std": 1}]})",
      "mine.json");
  ASSERT_EQ(values.columns().size(), 1u);
  EXPECT_NEAR(values.columns()[0].tasks.at({Dataset::fashion_mnist, 0}).mean, 0.9, 1e-12);
  EXPECT_THAT(message_of([] { PublishedValues::parse("{\"runs\": 5}", "mine.json"); }),
              testing::AllOf(HasSubstr("mine.json"), HasSubstr("methods")));
  EXPECT_THAT(message_of([] {
                PublishedValues::parse(
                    R"({"runs": 5, "datasets": {}, "methods": {"M": {"los": "rotation"}}})", "m");
              }),
              HasSubstr("did you mean 'loss'?"));
}

TEST(PublishedFile, OfNoRunsIsRefused) {
  const auto problem = [](const char* runs, const char* std) {
    try {
      PublishedValues::parse(R"({"methods": {}, "datasets": {}, "classifiers": {}, "records": [
          {"method": "", "class": "", "classifier": "", "dataset": "", "mean": 1, "table": "",
           "std": )" + std::string(std) +
                                 R"(}], "runs": )" + runs + "}",
                             "theirs.json");
    } catch (const UsageError& refused) {
      return std::string(refused.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(problem("0", "null"), "theirs.json: runs 0 is below 1");
  EXPECT_EQ(problem("-5", "null"), "theirs.json: runs -5 is below 1");
  EXPECT_EQ(problem("1", "0.5"), "theirs.json: runs 1 is below 2, which a std needs");
  EXPECT_EQ(problem("1", "null"), "no error");
  EXPECT_EQ(problem("2", "0.5"), "no error");
  EXPECT_EQ(problem("\"2\"", "0.5").find("json.exception"), std::string::npos);
}

}  // namespace
}  // namespace occam
