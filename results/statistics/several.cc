#include "results/statistics/several.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <map>
#include <numeric>

#include "results/statistics/ranks.h"

namespace occam {

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    corrected[order[i]] = largest;
  }
  return corrected;
}

// Conover, Practical Nonparametric Statistics, 5.8.
std::optional<FriedmanTest> friedman(const std::vector<std::vector<double>>& scores) {
  if (scores.size() < 2 || scores.front().size() < 3) return std::nullopt;
  const std::size_t methods = scores.front().size();
  std::vector<double> rank_sums(methods, 0.0);
  double ties = 0;
  for (const std::vector<double>& task : scores) {
    const std::vector<std::int64_t> ranks = doubled_mean_ranks(task);
    std::map<std::int64_t, double> shared;
    for (std::size_t i = 0; i < methods; ++i) {
      rank_sums[i] += static_cast<double>(ranks[i]) / 2;
      ++shared[ranks[i]];
    }
    for (const auto& [rank, count] : shared) ties += count * (count * count - 1);
  }
  const auto n = static_cast<double>(scores.size());
  const auto k = static_cast<double>(methods);
  const double untied = 1 - ties / (n * k * (k * k - 1));
  if (untied <= 0) return std::nullopt;
  double squares = 0;
  for (const double sum : rank_sums) squares += sum * sum;
  FriedmanTest test{static_cast<std::int64_t>(scores.size()),
                    (12 / (n * k * (k + 1)) * squares - 3 * n * (k + 1)) / untied, 1, rank_sums};
  for (double& rank : test.mean_ranks) rank /= n;
  test.p = boost::math::cdf(
      boost::math::complement(boost::math::chi_squared(k - 1), std::max(0.0, test.statistic)));
  return test;
}

}  // namespace occam
