#include "results/seed_plan.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::HasSubstr;

constexpr const char* kSpec = R"({
  "name": "sweep",  // seeds 1 … 3 of two batch sizes
  "trial": {"dataset": "fashion-mnist", "epochs": 20, "class": 0},
  "grid": {"seed": [1, 2, 3], "batch_size": [32, 64]},
  "evaluate": {"classifiers": ["kde"]}
})";

// Differences of 1, 2 and 3 points: a deviation of 1.
SweepResults sweep() {
  Plan plan;
  for (std::int64_t seed = 1; seed <= 3; ++seed)
    plan.done(trial(0, seed, 32), kKde, 0.8)
        .done(trial(0, seed, 64), kKde, 0.8 + 0.01 * static_cast<double>(seed));
  SweepResults results = plan.sweep();
  results.text = kSpec;
  return results;
}

Table table(const SweepResults& results) {
  TableOptions options = kByBatchSize;
  options.spec.baseline = {{"batch_size", {"32"}}};
  return ablation(results, options);
}

TEST(SeedPlan, TakesTheFewestSeedsWhoseIntervalIsNarrowEnough) {
  const SweepResults results = sweep();
  const SeedPlan plan = plan_seeds(table(results), results, 0.005);
  // By SciPy: t(0.975, 17) / sqrt(18) = 0.497, and one seed fewer gives 0.514.
  EXPECT_EQ(plan.seeds.size(), 18u);
  EXPECT_EQ(plan.seeds.back(), 18);
  EXPECT_EQ(plan.have, 3);
  EXPECT_EQ(plan.trials, 30);  // fifteen more seeds of both arms
  EXPECT_NEAR(plan.widest, 0.01 * 4.302652729911275 / std::sqrt(3), 1e-9);
  EXPECT_EQ(expand(parse_spec(plan.spec, "spec.json")).trials.size(), 36u);
}

TEST(SeedPlan, KeepsTheSeedsThatAreEnough) {
  const SweepResults results = sweep();
  const SeedPlan plan = plan_seeds(table(results), results, 0.1);
  EXPECT_EQ(plan.seeds, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(plan.trials, 0);
}

TEST(SeedPlan, GivesTheSameSeedsToEveryBlock) {
  const auto spec = nlohmann::json::parse(with_seeds(
      R"({"trial": {"seed": 1}, "blocks": [{"grid": {"seed": [1, 2]}}, {"trial": {"seed": 3}}]})",
      {1, 2, 3}));
  for (const auto& block : spec.at("blocks"))
    EXPECT_EQ(block.at("grid").at("seed"), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(spec.at("trial").contains("seed"));
  EXPECT_FALSE(spec.at("blocks")[1].at("trial").contains("seed"));
  EXPECT_THAT(message_of([] { with_seeds(R"({"zip": [{"seed": [1], "batch_size": [2]}]})", {1}); }),
              HasSubstr("zip moves seed"));
}

TEST(SeedPlan, OfImagesOfTheUsersOwnKeepsWhatTheyAre) {
  Plan plan;
  for (std::int64_t seed = 1; seed <= 3; ++seed)
    for (const std::int64_t batch : {32, 64}) {
      Trial one = trial(0, seed, batch);
      one.dataset = Dataset::folder;
      one.source = {"screws", "0011223344556677", 90, 40, 64};
      plan.done(canonical(one), kKde, 0.8 + 0.0001 * static_cast<double>(seed * batch));
    }
  SweepResults results = plan.sweep();
  results.text = R"({
    "name": "sweep", "trial": {"dataset": "folder", "source": "screws", "epochs": 20, "class": 0},
    "grid": {"seed": [1, 2, 3], "batch_size": [32, 64]}, "evaluate": {"classifiers": ["kde"]}})";
  const SeedPlan made = plan_seeds(table(results), results, 0.005);
  EXPECT_EQ(made.trials, 2 * (static_cast<std::int64_t>(made.seeds.size()) - 3));
}

TEST(SeedPlan, RefusesWhatNoSweepBrings) {
  SweepResults results = sweep();
  EXPECT_THAT(message_of([&] { plan_seeds(table(results), results, 1e-9); }),
              testing::AllOf(HasSubstr("more than 10000 seeds"), HasSubstr("batch_size=64")));
  results.text = "";  // of several specs
  EXPECT_THAT(message_of([&] { plan_seeds(table(results), results, 0.005); }),
              HasSubstr("merge them first"));
}

TEST(SeedPlan, NeedsABaselineAndADeviation) {
  const SweepResults results = sweep();
  EXPECT_THAT(message_of([&] { plan_seeds(ablation(results, kByBatchSize), results, 0.005); }),
              HasSubstr("name it with --baseline"));
  const SweepResults one =
      Plan().done(trial(0, 1, 32), kKde, 0.8).done(trial(0, 1, 64), kKde, 0.9).sweep();
  EXPECT_THAT(message_of([&] { plan_seeds(table(one), one, 0.005); }),
              HasSubstr("needs two seeds on both sides"));
}

}  // namespace
}  // namespace occam
