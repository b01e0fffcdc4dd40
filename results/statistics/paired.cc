#include "results/statistics/paired.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <random>

#include "results/statistics/ranks.h"

namespace occam {
namespace {

double t_quantile(double confidence, double degrees) {
  return boost::math::quantile(
      boost::math::complement(boost::math::students_t(degrees), (1 - confidence) / 2));
}

// P(W = w / 2) over all sign flips of ranks given in halves, w = 0, 1, …
std::vector<double> flipped_rank_sums(const std::vector<std::int64_t>& half_ranks) {
  std::vector<double> probability{1.0};
  for (const std::int64_t rank : half_ranks) {
    const auto shift = static_cast<std::size_t>(rank);
    std::vector<double> next(probability.size() + shift, 0.0);
    for (std::size_t w = 0; w < probability.size(); ++w) {
      next[w] += probability[w] / 2;
      next[w + shift] += probability[w] / 2;
    }
    probability = std::move(next);
  }
  return probability;
}

double median(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The means of all pairs of differences, each with itself too, sorted.
std::vector<double> walsh_averages(std::span<const double> differences) {
  std::vector<double> averages;
  averages.reserve(differences.size() * (differences.size() + 1) / 2);
  for (std::size_t i = 0; i < differences.size(); ++i)
    for (std::size_t j = i; j < differences.size(); ++j)
      averages.push_back((differences[i] + differences[j]) / 2);
  std::sort(averages.begin(), averages.end());
  return averages;
}

// Hollander and Wolfe, Nonparametric Statistical Methods, 3.3: the tails cut off as many Walsh
// averages as the null leaves under (1 - confidence) / 2.
std::optional<Interval> walsh_interval(const std::vector<double>& averages, std::size_t pairs,
                                       double confidence) {
  std::vector<std::int64_t> half_ranks;
  for (std::size_t rank = 1; rank <= pairs; ++rank)
    half_ranks.push_back(static_cast<std::int64_t>(2 * rank));
  const std::vector<double> probability = flipped_rank_sums(half_ranks);
  double tail = 0;
  std::size_t cut = 0;
  while (2 * cut < probability.size() && tail + probability[2 * cut] <= (1 - confidence) / 2)
    tail += probability[2 * cut++];
  if (cut == 0) return std::nullopt;
  return Interval{averages[cut - 1], averages[averages.size() - cut]};
}

std::vector<double> all_flipped_sums(std::span<const double> values) {
  std::vector<double> sums{0.0};
  for (const double value : values) {
    const std::size_t count = sums.size();
    for (std::size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] - value);
      sums[i] += value;
    }
  }
  std::sort(sums.begin(), sums.end());
  return sums;
}

// Of all 2^n sums a + b, a of the one half's flips and b of the other's, how many reach `bound`.
double share_reaching(std::span<const double> values, double bound) {
  const std::size_t half = values.size() / 2;
  const std::vector<double> one = all_flipped_sums(values.first(half));
  const std::vector<double> other = all_flipped_sums(values.subspan(half));
  // As a grows, the b that reach the bound from above begin earlier.
  double reaching = 0;
  std::size_t begin = other.size();
  for (const double a : one) {
    while (begin > 0 && a + other[begin - 1] >= bound) --begin;
    reaching += static_cast<double>(other.size() - begin);
  }
  return reaching / (static_cast<double>(one.size()) * static_cast<double>(other.size()));
}

constexpr std::size_t kMostExactFlips = 40;
constexpr int kDrawnFlips = 99'999;

double drawn_share_reaching(std::span<const double> values, double bound) {
  // The engine's bits are the same everywhere, which the library's distributions are not.
  std::mt19937_64 random(1);
  int reaching = 1;
  for (int draw = 0; draw < kDrawnFlips; ++draw) {
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 64 == 0) bits = random();
      sum += (bits >> (i % 64) & 1) != 0 ? values[i] : -values[i];
    }
    reaching += std::abs(sum) >= bound;
  }
  return static_cast<double>(reaching) / (kDrawnFlips + 1);
}

}  // namespace

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> sample_deviation(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::optional<double> half_width(std::span<const double> values, double confidence) {
  const std::optional<double> deviation = sample_deviation(values);
  if (!deviation) return std::nullopt;
  const auto count = static_cast<double>(values.size());
  return t_quantile(confidence, count - 1) * *deviation / std::sqrt(count);
}

std::optional<PairedTest> paired_t(std::span<const double> differences, double confidence) {
  const std::optional<double> deviation = sample_deviation(differences);
  if (!deviation) return std::nullopt;
  const auto pairs = static_cast<std::int64_t>(differences.size());
  const double mean = mean_of(differences);
  // Equal differences leave a deviation of rounding errors, which is none.
  const bool no_deviation = std::all_of(differences.begin(), differences.end(),
                                        [&](double one) { return one == differences.front(); });
  if (no_deviation && mean != 0) return std::nullopt;
  if (no_deviation) return PairedTest{pairs, 0, Interval{0, 0}, 0, 1, 0};
  const double reach = *half_width(differences, confidence);
  const auto count = static_cast<double>(pairs);
  const double t = mean / (*deviation / std::sqrt(count));
  const double p = 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(count - 1),
                                                                std::abs(t)));
  return PairedTest{pairs, mean, Interval{mean - reach, mean + reach}, t, p, 0};
}

std::optional<PairedTest> signed_rank(std::span<const double> differences, double confidence) {
  if (differences.empty()) return std::nullopt;
  const std::vector<double> averages = walsh_averages(differences);
  PairedTest test{
      0, median(averages), walsh_interval(averages, differences.size(), confidence), 0, 1, 1};
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double difference : differences) {
    if (difference == 0) continue;
    sizes.push_back(std::abs(difference));
    positive.push_back(difference > 0);
  }
  if (sizes.empty()) return test;
  test.pairs = static_cast<std::int64_t>(sizes.size());
  const std::vector<std::int64_t> half_ranks = doubled_mean_ranks(sizes);
  std::size_t w = 0;
  for (std::size_t i = 0; i < half_ranks.size(); ++i)
    if (positive[i]) w += static_cast<std::size_t>(half_ranks[i]);
  const std::vector<double> probability = flipped_rank_sums(half_ranks);
  const auto at = probability.begin() + static_cast<std::ptrdiff_t>(w);
  const double below = std::accumulate(probability.begin(), at + 1, 0.0);
  const double above = std::accumulate(at, probability.end(), 0.0);
  test.statistic = static_cast<double>(w) / 2;
  test.p = std::min(1.0, 2 * std::min(below, above));
  test.least_p = std::min(1.0, 2 * probability.front());
  return test;
}

std::optional<PairedTest> sign_flips(std::span<const double> differences) {
  if (differences.empty()) return std::nullopt;
  const double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  double size = 0;
  for (const double one : differences) size += std::abs(one);
  // Flips that give the same sum on paper differ in their rounding.
  const double bound = std::abs(sum) - 1e-12 * size;
  const bool exact = differences.size() <= kMostExactFlips;
  PairedTest test{static_cast<std::int64_t>(differences.size()),
                  mean_of(differences),
                  std::nullopt,
                  mean_of(differences),
                  1,
                  std::ldexp(2.0, -static_cast<int>(differences.size())),
                  exact};
  if (!exact) test.least_p = 1.0 / (kDrawnFlips + 1);
  // The flips are symmetric about zero.
  if (bound > 0)
    test.p =
        exact ? 2 * share_reaching(differences, bound) : drawn_share_reaching(differences, bound);
  return test;
}

double half_width_of(double deviation, std::int64_t seeds, double confidence) {
  const auto count = static_cast<double>(seeds);
  return t_quantile(confidence, count - 1) * deviation / std::sqrt(count);
}

std::optional<std::int64_t> seeds_for_half_width(double deviation, double half_width,
                                                 std::int64_t most, double confidence) {
  const auto reach = [&](std::int64_t seeds) {
    return half_width_of(deviation, seeds, confidence);
  };
  if (!(reach(most) <= half_width)) return std::nullopt;
  std::int64_t enough = 2;
  while (reach(enough) > half_width) enough *= 2;
  std::int64_t too_few = enough / 2;
  if (enough == 2) return enough;
  while (enough - too_few > 1) {
    const std::int64_t middle = (enough + too_few) / 2;
    (reach(middle) > half_width ? too_few : enough) = middle;
  }
  return enough;
}

}  // namespace occam
