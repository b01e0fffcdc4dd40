#include "worker/evaluate/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>

#include "experiments/error.h"

namespace occam {
namespace {

// Rows of one score; they can only be caught together.
struct Tie {
  std::int64_t outliers = 0, inliers = 0;
};

void check_finite(const std::vector<double>& scores) {
  const auto bad = std::find_if(scores.begin(), scores.end(),
                                [](double score) { return !std::isfinite(score); });
  if (bad != scores.end())
    throw Error("score of test row " + std::to_string(bad - scores.begin()) + " is " +
                std::to_string(*bad) + ": a rate needs every score to be a finite number");
}

// Highest score first, as a threshold that comes down meets them.
std::vector<Tie> ties(const std::vector<double>& scores,
                      const std::vector<std::uint8_t>& is_outlier) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<Tie> found;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || scores[order[i]] != scores[order[i - 1]]) found.emplace_back();
    ++(is_outlier[order[i]] ? found.back().outliers : found.back().inliers);
  }
  return found;
}

}  // namespace

Metrics rate(const std::vector<double>& scores, const std::vector<std::uint8_t>& is_outlier) {
  assert(scores.size() == is_outlier.size());
  check_finite(scores);
  const std::vector<Tie> thresholds = ties(scores, is_outlier);
  Tie all;
  for (const Tie& tie : thresholds) {
    all.outliers += tie.outliers;
    all.inliers += tie.inliers;
  }
  if (all.outliers == 0 || all.inliers == 0)
    throw Error("test rows hold " + std::to_string(all.outliers) + " outliers and " +
                std::to_string(all.inliers) + " inliers: a rate needs at least one of each");

  std::int64_t half_wins = 0;  // pairs with the outlier above count 2, ties 1: no rounding
  double precisions = 0;       // summed over outliers: of a perfect ranking a whole number
  double fpr95 = -1;
  Tie caught;
  for (const Tie& tie : thresholds) {
    caught.outliers += tie.outliers;
    caught.inliers += tie.inliers;
    half_wins += tie.outliers * (2 * (all.inliers - caught.inliers) + tie.inliers);
    precisions += static_cast<double>(tie.outliers) * static_cast<double>(caught.outliers) /
                  static_cast<double>(caught.outliers + caught.inliers);
    if (fpr95 < 0 && 100 * caught.outliers >= 95 * all.outliers)
      fpr95 = static_cast<double>(caught.inliers) / static_cast<double>(all.inliers);
  }
  const double pairs = static_cast<double>(all.outliers) * static_cast<double>(all.inliers);
  return {static_cast<double>(half_wins) / (2 * pairs),
          precisions / static_cast<double>(all.outliers), fpr95};
}

}  // namespace occam
