// How often the two claims of a table reject a null that is true, where methods differ by class and
// seeds have effects of the size in print. 20,000 simulated tables each: a rate of 5 % has a
// standard error of 0.15 %.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "results/comparison.h"
#include "results/statistics/paired.h"
#include "results/statistics/several.h"

namespace occam {
namespace {

// Sohn et al., ICLR 2021, Table 8 (CIFAR-10, KDE): per class, contrastive with distribution
// augmentation less plain contrastive, and the deviations over five seeds of the two.
constexpr std::size_t kClasses = 10;
constexpr std::array<double, kClasses> kByClass{2.2, 1.4, 0.3, 1.1, 7.1, 1.0, 3.7, 2.5, 10.7, 4.4};
constexpr std::array<double, kClasses> kNoiseOfOne{.5, .1, .2, .9, 1.8, 1.2, .6, .1, .3, 1.3};
constexpr std::array<double, kClasses> kNoiseOfOther{.2, .2, .4, .4, 1.8, .5, 1.4, .2, .6, .9};
// Of a seed on one method's scores of all classes: of the size of a class's own deviation.
constexpr double kSeed = 0.4;
constexpr int kTables = 20'000;

class Simulation {
 public:
  double normal(double deviation) { return deviation * normal_(random_); }
  bool coin() { return (random_() & 1) != 0; }

  // differences[seed][class] of two methods. A seed moves all scores of both methods (it cancels),
  // all scores of one (it does not), and every score by itself.
  std::vector<std::vector<double>> differences(std::size_t seeds,
                                               const std::array<double, kClasses>& by_class,
                                               double seed_by_method) {
    std::vector<std::vector<double>> all;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      const double of_both = normal(1.0), of_one = normal(seed_by_method);
      auto& row = all.emplace_back();
      for (std::size_t c = 0; c < kClasses; ++c) {
        const double one = of_both + of_one + by_class[c] + normal(kNoiseOfOne[c]);
        const double other = of_both + normal(kNoiseOfOther[c]);
        row.push_back(one - other);
      }
    }
    return all;
  }

 private:
  std::mt19937_64 random_{20110};
  std::normal_distribution<double> normal_;
};

std::vector<double> by_seed(const std::vector<std::vector<double>>& differences) {
  std::vector<double> means;
  for (const auto& row : differences) means.push_back(mean_of(row));
  return means;
}

std::vector<double> by_class(const std::vector<std::vector<double>>& differences) {
  std::vector<double> means(kClasses, 0.0);
  for (const auto& row : differences)
    for (std::size_t c = 0; c < kClasses; ++c)
      means[c] += row[c] / static_cast<double>(differences.size());
  return means;
}

// Rejections in percent.
template <class Rejects>
double rate(Rejects&& rejects, int tables = kTables) {
  int count = 0;
  for (int table = 0; table < tables; ++table) count += rejects();
  return 100.0 * count / tables;
}

// The null of "these tasks, new seeds": over these very classes the methods differ by nothing on
// average, however much by class.
std::array<double, kClasses> centred() {
  std::array<double, kClasses> all = kByClass;
  const double mean = mean_of(all);
  for (double& one : all) one -= mean;
  return all;
}

// The null of "new tasks": a class's difference is drawn from a population that is centred on zero.
std::array<double, kClasses> drawn(Simulation& simulation) {
  std::array<double, kClasses> all = kByClass;
  for (double& one : all) one *= simulation.coin() ? 1 : -1;
  return all;
}

TEST(Calibration, NewSeedsRejectsFivePercentOfTrueNulls) {
  Simulation simulation;
  for (const std::size_t seeds : {3u, 5u, 10u})
    EXPECT_NEAR(rate([&] {
                  return paired_t(by_seed(simulation.differences(seeds, centred(), kSeed)))->p <=
                         0.05;
                }),
                5, 1)
        << seeds << " seeds";
}

TEST(Calibration, NewTasksRejectsFivePercentOfTrueNulls) {
  Simulation simulation;
  for (const std::size_t seeds : {3u, 5u, 10u})
    EXPECT_NEAR(
        rate([&] {
          return signed_rank(by_class(simulation.differences(seeds, drawn(simulation), kSeed)))
                     ->p <= 0.05;
        }),
        5, 1)
        << seeds << " seeds";
}

// As tables and `occam compare` make them, of scores.
TEST(Calibration, BothClaimsOfAComparisonRejectFivePercentOfTrueNulls) {
  Simulation simulation;
  for (const Claim claim : {Claim::seeds, Claim::tasks})
    EXPECT_NEAR(rate(
                    [&] {
                      const auto null = claim == Claim::seeds ? centred() : drawn(simulation);
                      Scores one, other;
                      const auto rows = simulation.differences(5, null, kSeed);
                      for (std::size_t seed = 0; seed < rows.size(); ++seed)
                        for (std::size_t c = 0; c < kClasses; ++c) {
                          const std::pair key{
                              static_cast<std::int64_t>(seed),
                              ClassTask{Dataset::cifar10, static_cast<std::int64_t>(c)}};
                          one[key] = 0.9 + rows[seed][c] / 100;
                          other[key] = 0.9;
                        }
                      return *compare(one, other, claim).p <= 0.05;
                    },
                    kTables / 4),
                5, 1)
        << to_string(claim);
}

TEST(Calibration, SignFlipsOverTasksRejectFivePercentOfTrueNulls) {
  Simulation simulation;
  EXPECT_NEAR(
      rate([&] {
        return sign_flips(by_class(simulation.differences(5, drawn(simulation), kSeed)))->p <= 0.05;
      }),
      5, 1);
}

TEST(Calibration, SignFlipsOverFiveSeedsNeverReachFivePercent) {
  Simulation simulation;
  EXPECT_EQ(rate([&] {
              return sign_flips(by_seed(simulation.differences(5, centred(), kSeed)))->p <= 0.05;
            }),
            0);
}

// Why the two units are never mixed.
TEST(Calibration, SeedsTimesClassesAsIfIndependentRejectsAThirdOfTrueNulls) {
  Simulation simulation;
  EXPECT_GT(rate([&] {
              std::vector<double> pooled;
              for (const auto& row : simulation.differences(5, drawn(simulation), kSeed))
                pooled.insert(pooled.end(), row.begin(), row.end());
              return paired_t(pooled)->p <= 0.05;
            }),
            33);
}

TEST(Calibration, TheIntervalsHoldTheTruthNineteenTimesOfTwenty) {
  Simulation simulation;
  const double truth = mean_of(kByClass);
  EXPECT_NEAR(rate([&] {
                const auto interval =
                    *paired_t(by_seed(simulation.differences(5, kByClass, kSeed)))->interval;
                return interval.low <= truth && truth <= interval.high;
              }),
              95, 1);
}

TEST(Calibration, HolmKeepsAFamilyOfFiveUnderFivePercent) {
  Simulation simulation;
  const double any = rate([&] {
    std::vector<double> family;
    for (int variant = 0; variant < 5; ++variant)
      family.push_back(paired_t(by_seed(simulation.differences(5, centred(), kSeed)))->p);
    const std::vector<double> corrected = holm(family);
    return std::any_of(corrected.begin(), corrected.end(), [](double p) { return p <= 0.05; });
  });
  EXPECT_NEAR(any, 5, 1);  // independent variants, so Holm loses little
}

}  // namespace
}  // namespace occam
