#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace occam {

// Holm's step-down correction: p[i] as it counts within this family, in the given order. An effect
// is significant at level a where its corrected p is at most a; the chance of any false one in the
// family is then at most a, whatever their dependence.
std::vector<double> holm(std::span<const double> p);

// Friedman's test that several methods rank alike over tasks.
struct FriedmanTest {
  std::int64_t tasks;
  double statistic;                // chi-square with methods - 1 degrees, corrected for ties
  double p;                        // of that distribution, which is an approximation for few tasks
  std::vector<double> mean_ranks;  // one a method; 1 is the lowest score
};
// scores[task][method]. None of fewer than three methods or two tasks, or where all scores tie.
std::optional<FriedmanTest> friedman(const std::vector<std::vector<double>>& scores);

}  // namespace occam
