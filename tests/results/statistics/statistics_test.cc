// The tests and intervals against SciPy and statsmodels: golden/statistics.json is written by
// statistics_oracle.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "results/statistics/paired.h"
#include "results/statistics/several.h"
#include "results/statistics/welch.h"

namespace occam {
namespace {

constexpr double kTolerance = 1e-8;

const nlohmann::json& oracle(const char* part) {
  static const nlohmann::json all = [] {
    std::ifstream file(OCCAM_SOURCE_DIR "/tests/golden/statistics.json");
    return nlohmann::json::parse(file);
  }();
  const nlohmann::json& cases = all.at(part);
  if (cases.size() < 4) throw std::runtime_error("the oracle has too few cases");
  return cases;
}

std::vector<double> differences_of(const nlohmann::json& one) {
  return one.at("differences").get<std::vector<double>>();
}

TEST(PairedT, AgreesWithSciPy) {
  for (const nlohmann::json& one : oracle("paired_t")) {
    const auto test = paired_t(differences_of(one));
    ASSERT_TRUE(test) << one;
    EXPECT_NEAR(test->statistic, one.at("statistic").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->p, one.at("p").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->interval->low, one.at("low").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->interval->high, one.at("high").get<double>(), kTolerance) << one;
  }
}

TEST(PairedT, HasNothingToSayOfOneDifferenceOrOfDifferencesWithoutDeviation) {
  EXPECT_FALSE(paired_t(std::vector<double>{0.3}));
  EXPECT_FALSE(paired_t(std::vector<double>{0.3, 0.3, 0.3}));
  EXPECT_EQ(paired_t(std::vector<double>{0, 0, 0})->p, 1);
}

TEST(SignedRank, AgreesWithSciPyWithTiesAndZerosToo) {
  for (const nlohmann::json& one : oracle("signed_rank")) {
    const auto test = signed_rank(differences_of(one));
    ASSERT_TRUE(test) << one;
    EXPECT_NEAR(test->statistic, one.at("statistic").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->p, one.at("p").get<double>(), kTolerance) << one;
  }
}

TEST(SignedRank, HasTheIntervalOfShiftsThatSciPyDoesNotReject) {
  for (const nlohmann::json& one : oracle("signed_rank_interval")) {
    const auto test = signed_rank(differences_of(one));
    EXPECT_NEAR(test->estimate, one.at("estimate").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->interval->low, one.at("low").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->interval->high, one.at("high").get<double>(), kTolerance) << one;
  }
}

TEST(SignedRank, KnowsTheLeastPThatSoManyPairsCanGive) {
  EXPECT_DOUBLE_EQ(signed_rank(std::vector<double>{1, 2, 3, 4, 5})->least_p, 2.0 / 32);
  EXPECT_FALSE(signed_rank(std::vector<double>{1, 2, 3, 4, 5})->interval);
  EXPECT_EQ(signed_rank(std::vector<double>{0, 0})->p, 1);
  EXPECT_FALSE(signed_rank(std::vector<double>{}));
}

TEST(SignFlips, AgreeWithSciPysPermutationTest) {
  for (const nlohmann::json& one : oracle("sign_flips"))
    EXPECT_NEAR(sign_flips(differences_of(one))->p, one.at("p").get<double>(), kTolerance) << one;
}

TEST(SignFlips, AreExactForTheFortyOfAClosedForm) {
  // Of n ones the sum is n - 2k: only the flip of none and of all reach it.
  const auto test = sign_flips(std::vector<double>(40, 1.0));
  EXPECT_TRUE(test->exact);
  EXPECT_DOUBLE_EQ(test->p, std::ldexp(1.0, -39));
  EXPECT_DOUBLE_EQ(test->least_p, test->p);
}

TEST(SignFlips, AreDrawnBeyondThatFromAFixedStream) {
  std::vector<double> differences(60, 1.0);
  std::fill_n(differences.begin(), 22, -1.0);
  const auto test = sign_flips(differences);
  EXPECT_FALSE(test->exact);
  // Of 60 ones 22 negative: 2 P(X <= 22), X binomial (60, 1/2), with five standard errors.
  EXPECT_NEAR(test->p, 0.0519, 0.0036);
  EXPECT_EQ(sign_flips(differences)->p, test->p);
}

TEST(Holm, AgreesWithStatsmodels) {
  for (const nlohmann::json& one : oracle("holm")) {
    const auto corrected = holm(one.at("p").get<std::vector<double>>());
    const auto expected = one.at("corrected").get<std::vector<double>>();
    ASSERT_EQ(corrected.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(corrected[i], expected[i], kTolerance) << one;
  }
}

TEST(Friedman, AgreesWithSciPyWithTiesToo) {
  for (const nlohmann::json& one : oracle("friedman")) {
    const auto test = friedman(one.at("scores").get<std::vector<std::vector<double>>>());
    ASSERT_TRUE(test) << one;
    EXPECT_NEAR(test->statistic, one.at("statistic").get<double>(), kTolerance) << one;
    EXPECT_NEAR(test->p, one.at("p").get<double>(), kTolerance) << one;
    const auto ranks = one.at("mean_ranks").get<std::vector<double>>();
    for (std::size_t i = 0; i < ranks.size(); ++i)
      EXPECT_NEAR(test->mean_ranks[i], ranks[i], kTolerance) << one;
  }
}

TEST(Friedman, NeedsThreeMethodsTwoTasksAndADifference) {
  EXPECT_FALSE(friedman({{1, 2}, {2, 1}}));
  EXPECT_FALSE(friedman({{1, 2, 3}}));
  EXPECT_FALSE(friedman({{1, 1, 1}, {2, 2, 2}}));
}

TEST(MeanUncertainty, HasTheWelchIntervalOfStatsmodels) {
  for (const nlohmann::json& one : oracle("welch")) {
    const auto a = one.at("one").get<std::vector<double>>();
    const auto b = one.at("other").get<std::vector<double>>();
    MeanUncertainty both;
    for (const auto& runs : {a, b})
      both.add(*sample_deviation(runs), static_cast<double>(runs.size()), 1);
    const auto interval = both.interval(mean_of(a) - mean_of(b));
    EXPECT_NEAR(interval->low, one.at("low").get<double>(), kTolerance) << one;
    EXPECT_NEAR(interval->high, one.at("high").get<double>(), kTolerance) << one;
  }
}

TEST(MeanUncertainty, OfAMeanOverTasksIsTheRootOfTheirSquaresOverTheirNumber) {
  MeanUncertainty mean;  // of two tasks, five runs each
  mean.add(0.3, 5, 2);
  mean.add(0.4, 5, 2);
  EXPECT_NEAR(mean.variance(), (0.09 + 0.16) / 5 / 4, 1e-15);
  EXPECT_FALSE(MeanUncertainty().interval(1));
}

TEST(SeedsForHalfWidth, AreTheFewestThatReachItByScipysT) {
  for (const nlohmann::json& one : oracle("seeds"))
    EXPECT_EQ(seeds_for_half_width(one.at("deviation"), one.at("half_width"), 1'000'000),
              one.at("seeds"))
        << one;
  EXPECT_EQ(seeds_for_half_width(0, 0.5, 2), 2);
  EXPECT_EQ(seeds_for_half_width(1, 0.5, 18), 18);
  EXPECT_EQ(seeds_for_half_width(1, 0.5, 17), std::nullopt);
  EXPECT_EQ(seeds_for_half_width(1, 1e-300, 10'000), std::nullopt);
}

}  // namespace
}  // namespace occam
