#pragma once

#include <cstdint>
#include <vector>

namespace occam {

struct Metrics {
  double auroc;              // P(outlier scores above inlier) + half the ties; exact
  double average_precision;  // sum over thresholds of (R_n - R_{n-1}) P_n, as scikit-learn
  double fpr95;  // inliers at or above the highest threshold that catches at least 95 % of outliers
};

// Outliers (is_outlier != 0) are positive and score high. Both kinds must be present and every
// score finite, else throws Error.
Metrics rate(const std::vector<double>& scores, const std::vector<std::uint8_t>& is_outlier);

}  // namespace occam
