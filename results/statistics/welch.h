#pragma once

#include <optional>

#include "results/statistics/paired.h"

namespace occam {

// How well the mean over several independent tasks, or the difference of two such means, is known
// from a few runs of each: the sum of its tasks' variances, with Welch and Satterthwaite's degrees
// of freedom.
class MeanUncertainty {
 public:
  // One of `tasks` whose mean is taken, with the sample deviation of its runs (two or more).
  void add(double deviation, double runs, double tasks);
  double variance() const { return variance_; }
  // 95 % about an estimate; none where nothing varies.
  std::optional<Interval> interval(double estimate) const;

 private:
  double variance_ = 0;
  double fourths_ = 0;  // sum of squared variances over their degrees of freedom
};

}  // namespace occam
