#include "results/arms.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Rotation above contrastive by 1 … 7 points on seven classes, a little more with every seed.
Plan seven_classes() {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 7; ++inlier)
    for (std::int64_t seed = 1; seed <= 3; ++seed) {
      const auto points = static_cast<double>(inlier + 1) + 0.1 * static_cast<double>(seed - 2);
      Trial rotating = trial(inlier, seed);
      rotating.loss = Loss::rotation;
      plan.done(trial(inlier, seed), kKde, 0.8);
      plan.done(canonical(rotating), kKde, 0.8 + points / 100);
    }
  return plan;
}

const Arm kRotation{"rotation", {{"loss", {"rotation"}}}};
const Arm kContrastive{"contrastive", {{"loss", {"contrastive"}}}};

TEST(Arms, MakeBothClaimsEachWithItsUnit) {
  const ArmsComparison found = compare_arms(seven_classes().sweep(), {kRotation, kContrastive}, {});
  const std::string text = sentences(found);
  // Per seed 3.9, 4.0 and 4.1 points: t = 4 / (0.1 / sqrt 3) = 69.28.
  EXPECT_THAT(text,
              AllOf(HasSubstr("These tasks, new seeds: rotation is significantly above "
                              "contrastive, by 4.00 AUROC points (84.0 against 80.0; 95 % "
                              "interval [+3.75, +4.25]"),
                    HasSubstr("paired t over 3 seeds of the mean over 7 classes, t(2) = 69.28, "
                              "p <0.001")));
  // All seven positive: p = 2 / 128.
  EXPECT_THAT(text, AllOf(HasSubstr("New tasks: rotation is significantly above"),
                          HasSubstr("better on 7 of 7 classes"),
                          HasSubstr("exact Wilcoxon signed ranks over 7 classes of the mean over 3 "
                                    "seeds, W = 28, p = 0.016; sign flips p = 0.016")));
  // Rotation has no temperature, which is what it is and no further difference.
  EXPECT_THAT(text, Not(HasSubstr("also differ")));
}

TEST(Arms, SayThatADifferenceIsNotSignificant) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 7; ++inlier)
    for (std::int64_t seed = 1; seed <= 2; ++seed)
      plan.done(trial(inlier, seed, 16), kKde, 0.8 + (seed == 1 ? 0.01 : -0.012))
          .done(trial(inlier, seed, 32), kKde, 0.8);
  const ArmsComparison found = compare_arms(
      plan.sweep(), {{"16", {{"batch_size", {"16"}}}}, {"32", {{"batch_size", {"32"}}}}}, {});
  EXPECT_THAT(sentences(found),
              AllOf(HasSubstr("16 is not significantly different from 32, by -0.10 AUROC points"),
                    HasSubstr("They also differ in: updates (7500 against 3740)")));
}

TEST(Arms, OfThreeOrMoreAreCorrectedAndRanked) {
  Plan plan = seven_classes();
  for (std::int64_t inlier = 0; inlier < 7; ++inlier)
    for (std::int64_t seed = 1; seed <= 3; ++seed) {
      Trial large = trial(inlier, seed, 64);
      plan.done(large, kKde, 0.79);
    }
  const ArmsComparison found =
      compare_arms(plan.sweep(),
                   {kRotation,
                    {"small", {{"loss", {"contrastive"}}, {"batch_size", {"32"}}}},
                    {"large", {{"loss", {"contrastive"}}, {"batch_size", {"64"}}}}},
                   {});
  ASSERT_EQ(found.pairs.size(), 2u);
  EXPECT_DOUBLE_EQ(*found.pairs[0].tasks.corrected, 4.0 / 128);
  ASSERT_TRUE(found.friedman);
  EXPECT_EQ(found.friedman->mean_ranks, (std::vector<double>{3, 2, 1}));
  EXPECT_DOUBLE_EQ(found.friedman->statistic, 14);
  EXPECT_NEAR(found.friedman->p, std::exp(-7), 1e-12);  // chi-square of two degrees
  EXPECT_THAT(sentences(found), HasSubstr("after Holm over 2"));
  const auto json = nlohmann::json::parse(to_json_text(found));
  EXPECT_EQ(json["pairs"].size(), 2u);
  EXPECT_EQ(json["friedman"]["chi_square"], 14);
}

// A seed that only some arms have decides no rank.
TEST(Arms, AreRankedByTheSeedsThatAllHave) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 4; ++inlier) {
    for (const std::int64_t seed : {1, 2})
      plan.done(trial(inlier, seed, 16), kKde, seed == 1 ? 0.8 : 0.5)
          .done(trial(inlier, seed, 32), kKde, 0.7);
    plan.done(trial(inlier, 1, 64), kKde, 0.75);
  }
  const ArmsComparison found = compare_arms(plan.sweep(),
                                            {{"16", {{"batch_size", {"16"}}}},
                                             {"32", {{"batch_size", {"32"}}}},
                                             {"64", {{"batch_size", {"64"}}}}},
                                            {});
  ASSERT_TRUE(found.friedman);
  EXPECT_EQ(found.friedman->mean_ranks, (std::vector<double>{3, 1, 2}));
}

TEST(Arms, SayInEveryFormatWhatCollapsedAndWhatLacks) {
  Plan plan = seven_classes();
  Trial rotating = trial(0, 4);
  rotating.loss = Loss::rotation;
  plan.collapsed(canonical(rotating), kKde, 0.5).missing(trial(0, 4), kKde);
  const ArmsComparison found = compare_arms(plan.sweep(), {kRotation, kContrastive}, {});
  const auto notes = nlohmann::json::parse(to_json_text(found))["notes"];
  for (const char* note :
       {"rotation: 1 collapsed, and counted", "contrastive: 1 of 22 planned scores lack"}) {
    EXPECT_THAT(sentences(found), HasSubstr(note));
    EXPECT_THAT(notes, testing::Contains(note));
  }
}

TEST(Arms, GiveNoPThatCouldNotBeSmall) {
  Plan plan;
  Trial rotating = trial(0);
  rotating.loss = Loss::rotation;
  plan.done(trial(0), kKde, 0.8).done(canonical(rotating), kKde, 0.9);
  const ArmsComparison found = compare_arms(plan.sweep(), {kRotation, kContrastive}, {});
  EXPECT_THAT(sentences(found),
              AllOf(HasSubstr("These tasks, new seeds: no claim, from one seed of "
                              "1 class; rotation less contrastive is +10.00"),
                    HasSubstr("New tasks: no claim, since 1 class cannot give a "
                              "p under 1"),
                    Not(HasSubstr("significant"))));
}

TEST(Arms, RefuseWhatTheyWouldMix) {
  Plan plan = seven_classes();
  plan.done(trial(0, 1), kGde, 0.8);
  EXPECT_THAT(message_of([&] {
                compare_arms(plan.sweep(), {kRotation, kContrastive}, {});
              }),
              HasSubstr("'contrastive' would mix classifier kde, gde; choose with --where"));
  EXPECT_THAT(message_of([&] {
                compare_arms(seven_classes().sweep(), {kRotation, kRotation}, {});
              }),
              HasSubstr("are the same trials"));
  EXPECT_THAT(message_of([&] {
                compare_arms(plan.sweep(), {kRotation, {"x", {{"loss", {"contrastiv"}}}}}, {});
              }),
              HasSubstr("did you mean 'contrastive'?"));
}

}  // namespace
}  // namespace occam
