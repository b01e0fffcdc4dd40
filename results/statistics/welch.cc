#include "results/statistics/welch.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace occam {

void MeanUncertainty::add(double deviation, double runs, double tasks) {
  const double own = deviation * deviation / runs / (tasks * tasks);
  variance_ += own;
  fourths_ += own * own / (runs - 1);
}

std::optional<Interval> MeanUncertainty::interval(double estimate) const {
  if (variance_ <= 0) return std::nullopt;
  const boost::math::students_t distribution(variance_ * variance_ / fourths_);
  const double reach =
      boost::math::quantile(boost::math::complement(distribution, 0.025)) * std::sqrt(variance_);
  return Interval{estimate - reach, estimate + reach};
}

}  // namespace occam
