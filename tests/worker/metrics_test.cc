#include "worker/evaluate/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "experiments/error.h"

namespace occam {
namespace {

using Flags = std::vector<std::uint8_t>;

struct Ranking {
  std::vector<double> scores;
  Flags is_outlier;
};

// Scores of few values, so that most of them tie.
Ranking random_ranking(unsigned seed, std::size_t rows, int values) {
  std::mt19937 random(seed);
  Ranking ranking;
  for (std::size_t i = 0; i < rows; ++i) {
    ranking.is_outlier.push_back(i < 2 ? i : random() % 3 == 0);
    ranking.scores.push_back(static_cast<double>(random() % static_cast<unsigned>(values)) +
                             ranking.is_outlier.back());
  }
  return ranking;
}

double auroc_by_pairs(const Ranking& ranking) {
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < ranking.scores.size(); ++i)
    for (std::size_t j = 0; j < ranking.scores.size(); ++j)
      if (ranking.is_outlier[i] && !ranking.is_outlier[j]) {
        pairs += 1;
        if (ranking.scores[i] > ranking.scores[j]) wins += 1;
        if (ranking.scores[i] == ranking.scores[j]) wins += 0.5;
      }
  return wins / pairs;
}

TEST(Metrics, OfAPerfectRankingAreOneOneAndZero) {
  const Metrics metrics = rate({1, 4, 2, 3}, {0, 1, 0, 1});
  EXPECT_EQ(metrics.auroc, 1);
  EXPECT_EQ(metrics.average_precision, 1);
  EXPECT_EQ(metrics.fpr95, 0);
}

// Not 1 + 2e-16, which is no rate.
TEST(Metrics, OfAPerfectRankingAreOneForAnyNumberOfOutliers) {
  for (int outliers = 1; outliers <= 200; ++outliers) {
    std::vector<double> scores{0};
    Flags is_outlier{0};
    for (int i = 1; i <= outliers; ++i) {
      scores.push_back(i);
      is_outlier.push_back(1);
    }
    EXPECT_EQ(rate(scores, is_outlier).auroc, 1) << outliers;
    EXPECT_EQ(rate(scores, is_outlier).average_precision, 1) << outliers;
  }
}

TEST(Metrics, OfEqualScoresAreThoseOfChance) {
  const Metrics metrics = rate({7, 7, 7, 7}, {0, 1, 0, 0});
  EXPECT_EQ(metrics.auroc, 0.5);
  EXPECT_EQ(metrics.average_precision, 0.25);
  EXPECT_EQ(metrics.fpr95, 1);
}

TEST(Metrics, OfASmallRankingAreThoseByHand) {
  // From the top: outlier, inlier and outlier tied, inlier.
  const Metrics metrics = rate({0, 1, 1, 2}, {0, 0, 1, 1});
  EXPECT_EQ(metrics.auroc, 3.5 / 4);
  EXPECT_DOUBLE_EQ(metrics.average_precision, 0.5 * 1 + 0.5 * 2 / 3);
  EXPECT_EQ(metrics.fpr95, 0.5);
}

TEST(Metrics, Fpr95IsTakenAtExactlyNinetyFivePercent) {
  // 19 of 20 outliers lie above every inlier: no inlier has to be caught for 95 %.
  std::vector<double> scores(20, 2.0);
  Flags is_outlier(20, 1);
  scores[0] = 0;
  scores.push_back(1);
  is_outlier.push_back(0);
  EXPECT_EQ(rate(scores, is_outlier).fpr95, 0);
}

TEST(Metrics, AurocIsTheShareOfPairsInOrder) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Ranking ranking = random_ranking(seed, 200, seed % 2 ? 4 : 1000);
    EXPECT_EQ(rate(ranking.scores, ranking.is_outlier).auroc, auroc_by_pairs(ranking));
  }
}

TEST(Metrics, AurocOfReversedScoresIsTheRest) {
  Ranking ranking = random_ranking(1, 501, 5);
  const double auroc = rate(ranking.scores, ranking.is_outlier).auroc;
  for (double& score : ranking.scores) score = -score;
  EXPECT_NEAR(rate(ranking.scores, ranking.is_outlier).auroc, 1 - auroc, 1e-15);
}

TEST(Metrics, DoNotChangeUnderAMonotoneMap) {
  Ranking ranking = random_ranking(2, 501, 9);
  const Metrics before = rate(ranking.scores, ranking.is_outlier);
  for (double& score : ranking.scores) score = std::exp(score) - 100;
  const Metrics after = rate(ranking.scores, ranking.is_outlier);
  EXPECT_EQ(after.auroc, before.auroc);
  EXPECT_EQ(after.average_precision, before.average_precision);
  EXPECT_EQ(after.fpr95, before.fpr95);
}

TEST(Metrics, DoNotDependOnTheOrderOfRows) {
  const Ranking ranking = random_ranking(3, 300, 6);
  const Metrics forth = rate(ranking.scores, ranking.is_outlier);
  const Metrics back = rate({ranking.scores.rbegin(), ranking.scores.rend()},
                            {ranking.is_outlier.rbegin(), ranking.is_outlier.rend()});
  EXPECT_EQ(forth.auroc, back.auroc);
  EXPECT_EQ(forth.average_precision, back.average_precision);
  EXPECT_EQ(forth.fpr95, back.fpr95);
}

TEST(Metrics, TakeMinusZeroAndZeroForATie) { EXPECT_EQ(rate({0.0, -0.0}, {0, 1}).auroc, 0.5); }

TEST(Metrics, RefuseAScoreThatIsNotFinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(rate({1, std::nan("")}, {0, 1}), Error);
  EXPECT_THROW(rate({1, kInfinity}, {0, 1}), Error);
  EXPECT_THROW(rate({-kInfinity, 1}, {0, 1}), Error);
}

TEST(Metrics, RefuseRowsOfOneKind) {
  EXPECT_THROW(rate({1, 2}, {0, 0}), Error);
  EXPECT_THROW(rate({1, 2}, {1, 1}), Error);
  EXPECT_THROW(rate({}, {}), Error);
}

}  // namespace
}  // namespace occam
