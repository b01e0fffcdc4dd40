#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace occam {

struct Interval {
  double low, high;
};

// A two-sided test that paired differences are centred on zero. Every test below says which
// differences are its units: they must be independent of each other.
struct PairedTest {
  std::int64_t pairs;                // that count
  double estimate;                   // of the difference
  std::optional<Interval> interval;  // none where so few pairs have none
  double statistic;
  double p;
  double least_p;     // the smallest p that so many pairs can give; 0 for the t test
  bool exact = true;  // false: p is drawn from a fixed stream of random sign flips
};

double mean_of(std::span<const double> values);
// Over n - 1; none of fewer than two.
std::optional<double> sample_deviation(std::span<const double> values);

// The mean and half the width of its t interval: t(n-1) * deviation / sqrt(n). None below two.
std::optional<double> half_width(std::span<const double> values, double confidence = 0.95);

// Student's paired t. Estimate and interval are of the mean; the statistic is t. None of fewer than
// two differences, or where all are the same and not zero (no deviation to judge them by).
std::optional<PairedTest> paired_t(std::span<const double> differences, double confidence = 0.95);

// Wilcoxon's signed ranks, exact: zeros are dropped, ties share their mean rank, and p is over all
// sign flips of those ranks, min(1, 2 min(P(W <= w), P(W >= w))). The statistic is W, the sum of
// the positive ranks. The estimate is Hodges and Lehmann's (the median of the Walsh averages), the
// interval between Walsh averages the widest-tailed one of at least the confidence; both of all
// differences. None of no differences; p is 1 where all are zero.
std::optional<PairedTest> signed_rank(std::span<const double> differences,
                                      double confidence = 0.95);

// Sign flips of the mean: the share of all 2^n flips whose mean is at least as far from zero. Exact
// up to 40 differences, else over 99,999 drawn flips and the observed one. The statistic is the
// mean. None of no differences.
std::optional<PairedTest> sign_flips(std::span<const double> differences);

// How far the t interval of a mean difference reaches to either side, of so many seeds, at least
// two, whose differences deviate by `deviation`.
double half_width_of(double deviation, std::int64_t seeds, double confidence = 0.95);

// The fewest seeds, at least two, with which that is no more than `half_width`; none where `most`
// are too few.
std::optional<std::int64_t> seeds_for_half_width(double deviation, double half_width,
                                                 std::int64_t most, double confidence = 0.95);

}  // namespace occam
