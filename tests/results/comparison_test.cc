#include "results/comparison.h"

#include <gmock/gmock.h>

namespace occam {
namespace {

ClassTask task(std::int64_t inlier) { return {Dataset::fashion_mnist, inlier}; }

// scores[seed - 1][class]
Scores scores(const std::vector<std::vector<double>>& rows) {
  Scores all;
  for (std::size_t seed = 0; seed < rows.size(); ++seed)
    for (std::size_t inlier = 0; inlier < rows[seed].size(); ++inlier)
      if (rows[seed][inlier] > 0)
        all[{static_cast<std::int64_t>(seed + 1), task(static_cast<std::int64_t>(inlier))}] =
            rows[seed][inlier];
  return all;
}

TEST(Comparison, TakesOneDifferenceASeedForTheseTasks) {
  const auto paired =
      paired_differences(scores({{.9, .7}, {.8, .8}}), scores({{.8, .6}, {.8, .7}}), Claim::seeds);
  EXPECT_THAT(paired.values, testing::Pointwise(testing::DoubleNear(1e-12), {0.1, 0.05}));
}

TEST(Comparison, TakesOneDifferenceAClassForNewTasks) {
  const auto paired =
      paired_differences(scores({{.9, .7}, {.8, .8}}), scores({{.8, .6}, {.8, .7}}), Claim::tasks);
  EXPECT_THAT(paired.values, testing::Pointwise(testing::DoubleNear(1e-12), {0.05, 0.1}));
}

TEST(Comparison, UsesTheSeedsAndClassesThatBothSidesHave) {
  // Seed 3 is of one side alone; class 1 lacks seed 2 on the other side.
  const auto paired = paired_differences(scores({{.9, .7}, {.8, .8}, {.5, .5}}),
                                         scores({{.8, .6}, {.7}}), Claim::seeds);
  EXPECT_EQ(paired.seeds, 2);
  EXPECT_EQ(paired.tasks, 1);
  EXPECT_THAT(paired.values, testing::Pointwise(testing::DoubleNear(1e-12), {0.1, 0.1}));
  EXPECT_TRUE(paired_differences(scores({{.9}}), {}, Claim::seeds).values.empty());
}

TEST(Comparison, LeavesOutASeedThatHasOnlyBegunAndKeepsTheTasksThatItLacks) {
  // Seed 3 has class 0 alone on one side, as in a sweep that still runs.
  const auto paired =
      paired_differences(scores({{.9, .7, .6}, {.8, .8, .7}, {.5}}),
                         scores({{.8, .6, .5}, {.7, .7, .6}, {.4, .4, .4}}), Claim::seeds);
  EXPECT_EQ(paired.seeds, 2);
  EXPECT_EQ(paired.tasks, 3);
  // No seed has every class and no class every seed.
  EXPECT_TRUE(
      paired_differences(scores({{.9, 0}, {0, .8}}), scores({{.9, 0}, {0, .8}}), Claim::seeds)
          .values.empty());
}

TEST(Comparison, TiesThatRoundingWouldPart) {
  // 0.9 - 0.8 and 0.4 - 0.3 differ in their last bits, as ranks they are the same.
  const auto paired = paired_differences(scores({{.9, .4}}), scores({{.8, .3}}), Claim::tasks);
  EXPECT_EQ(paired.values[0], paired.values[1]);
}

TEST(Comparison, SaysNothingInPlaceOfAPThatCannotBeSmall) {
  const Comparison found = compare(scores({{.9, .8, .7}}), scores({{.8, .6, .4}}), Claim::tasks);
  EXPECT_NEAR(*found.estimate, 0.2, 1e-12);
  EXPECT_DOUBLE_EQ(found.least_p, 0.25);
  EXPECT_FALSE(found.p);
  EXPECT_FALSE(found.interval);
}

TEST(Comparison, OfOneSeedHasAnEstimateAlone) {
  const Comparison found = compare(scores({{.9}}), scores({{.8}}), Claim::seeds);
  EXPECT_NEAR(*found.estimate, 0.1, 1e-12);
  EXPECT_FALSE(found.interval);
  EXPECT_FALSE(found.p);
}

}  // namespace
}  // namespace occam
