#include "worker/evaluate/one_class_svm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "experiments/error.h"

namespace occam {
namespace {

struct Points {
  std::size_t rows, columns;
  std::vector<double> values;
  double at(std::size_t row, std::size_t column) const { return values[row * columns + column]; }
};

Points gaussian(std::size_t rows, std::size_t columns, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Points points{rows, columns, std::vector<double>(rows * columns)};
  for (double& value : points.values) value = normal(random);
  return points;
}

std::vector<float> rbf(const Points& points, double gamma) {
  std::vector<float> kernel;
  for (std::size_t i = 0; i < points.rows; ++i)
    for (std::size_t j = 0; j < points.rows; ++j) {
      double distance = 0;
      for (std::size_t k = 0; k < points.columns; ++k)
        distance += std::pow(points.at(i, k) - points.at(j, k), 2);
      kernel.push_back(static_cast<float>(std::exp(-gamma * distance)));
    }
  return kernel;
}

std::vector<float> linear(const Points& points) {
  std::vector<float> kernel;
  for (std::size_t i = 0; i < points.rows; ++i)
    for (std::size_t j = 0; j < points.rows; ++j) {
      double product = 0;
      for (std::size_t k = 0; k < points.columns; ++k) product += points.at(i, k) * points.at(j, k);
      kernel.push_back(static_cast<float>(product));
    }
  return kernel;
}

std::vector<double> solved(const std::vector<float>& kernel, std::size_t rows, double nu,
                           double tolerance = 1e-3) {
  Kernel by_rows{{}, [&kernel, rows](std::size_t i, std::span<float> row) {
                   std::copy_n(&kernel[i * rows], rows, row.begin());
                 }};
  for (std::size_t i = 0; i < rows; ++i) by_rows.diagonal.push_back(kernel[i * rows + i]);
  return solve_one_class_svm(by_rows, nu, tolerance);
}

double row_times(const std::vector<float>& kernel, const std::vector<double>& alphas,
                 std::size_t row) {
  return std::inner_product(alphas.begin(), alphas.end(),
                            kernel.begin() + static_cast<std::ptrdiff_t>(row * alphas.size()), 0.0);
}

double objective(const std::vector<float>& kernel, const std::vector<double>& alphas) {
  double sum = 0;
  for (std::size_t i = 0; i < alphas.size(); ++i) sum += alphas[i] * row_times(kernel, alphas, i);
  return sum / 2;
}

// How far a is from the conditions of Karush, Kuhn and Tucker: 0 at the optimum.
double violation(const std::vector<float>& kernel, const std::vector<double>& alphas) {
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (std::size_t i = 0; i < alphas.size(); ++i) {
    const double gradient = row_times(kernel, alphas, i);
    if (alphas[i] < 1) lowest = std::min(lowest, gradient);
    if (alphas[i] > 0) highest = std::max(highest, gradient);
  }
  return highest - lowest;
}

void expect_solved(const std::vector<float>& kernel, const std::vector<double>& alphas, double nu,
                   double tolerance) {
  EXPECT_NEAR(std::accumulate(alphas.begin(), alphas.end(), 0.0),
              nu * static_cast<double>(alphas.size()), 1e-9);
  EXPECT_GE(*std::min_element(alphas.begin(), alphas.end()), 0);
  EXPECT_LE(*std::max_element(alphas.begin(), alphas.end()), 1);
  EXPECT_LE(violation(kernel, alphas), tolerance * (1 + 1e-6));
}

TEST(OneClassSvm, GivesOneRowItsShare) {
  EXPECT_EQ(solved(std::vector<float>{1}, 1, 0.5), std::vector<double>{0.5});
}

TEST(OneClassSvm, GivesEveryRowOneWhenNuIsOne) {
  const Points points = gaussian(13, 3);
  EXPECT_EQ(solved(rbf(points, 0.5), 13, 1), std::vector<double>(13, 1));
}

TEST(OneClassSvm, WeighsTwoRowsAgainstTheirNorms) {
  // min 1/2 (a² + 4 b²) with a + b = 1: a = 4/5.
  const std::vector<double> alphas = solved(std::vector<float>{1, 0, 0, 4}, 2, 0.5, 1e-9);
  EXPECT_NEAR(alphas[0], 0.8, 1e-9);
  EXPECT_NEAR(alphas[1], 0.2, 1e-9);
}

TEST(OneClassSvm, WeighsRowsOfASymmetricKernelEqually) {
  std::vector<float> kernel(36, 0.25F);
  for (std::size_t i = 0; i < 6; ++i) kernel[i * 7] = 1;
  for (const double alpha : solved(kernel, 6, 0.5, 1e-9)) EXPECT_NEAR(alpha, 0.5, 1e-8);
}

TEST(OneClassSvm, PushesALineToItsNearEnd) {
  // Linear kernel of 1, 2, …, 6: |sum a_i x_i| is least on the first nu n rows.
  Points points{6, 1, {6, 5, 4, 3, 2, 1}};
  const std::vector<double> alphas = solved(linear(points), 6, 0.5);
  EXPECT_EQ(alphas, (std::vector<double>{0, 0, 0, 1, 1, 1}));
}

TEST(OneClassSvm, MeetsTheKktConditionsToTheTolerance) {
  for (const double nu : {0.01, 0.1, 0.5, 0.9})
    for (const double tolerance : {1e-3, 1e-6}) {
      const std::vector<float> kernel = rbf(gaussian(203, 5), 0.3);
      expect_solved(kernel, solved(kernel, 203, nu, tolerance), nu, tolerance);
    }
}

TEST(OneClassSvm, MeetsTheKktConditionsOnALinearKernelOfLowRank) {
  const std::vector<float> kernel = linear(gaussian(150, 4));
  expect_solved(kernel, solved(kernel, 150, 0.3), 0.3, 1e-3);
}

TEST(OneClassSvm, MeetsTheKktConditionsOnCopiesOfRows) {
  Points points = gaussian(120, 3);
  for (std::size_t i = 0; i < points.values.size(); ++i) points.values[i] = points.values[i % 30];
  const std::vector<float> kernel = rbf(points, 0.5);
  expect_solved(kernel, solved(kernel, 120, 0.4), 0.4, 1e-3);
}

TEST(OneClassSvm, AcceptsTheStartWhenAllRowsAreEqual) {
  const std::vector<float> kernel(25, 1.0F);
  EXPECT_EQ(solved(kernel, 5, 0.5), (std::vector<double>{1, 1, 0.5, 0, 0}));
}

TEST(OneClassSvm, IsNeverBeatenByRandomExchanges) {
  const std::vector<float> kernel = rbf(gaussian(60, 2), 1);
  const std::vector<double> alphas = solved(kernel, 60, 0.5, 1e-6);
  const double best = objective(kernel, alphas);
  std::mt19937 random(1);
  for (int attempt = 0; attempt < 500; ++attempt) {
    std::vector<double> other = alphas;
    double& up = other[random() % 60];
    double& down = other[random() % 60];
    const double moved = std::min(1 - up, down) * static_cast<double>(random() % 100) / 100;
    up += moved;
    down -= moved;
    EXPECT_GE(objective(kernel, other), best - 1e-5);
  }
}

TEST(OneClassSvm, KeepsItsObjectiveWhenRowsAreReordered) {
  Points points = gaussian(101, 4);
  const double forth = objective(rbf(points, 0.2), solved(rbf(points, 0.2), 101, 0.5, 1e-6));
  std::reverse(points.values.begin(), points.values.end());
  const double back = objective(rbf(points, 0.2), solved(rbf(points, 0.2), 101, 0.5, 1e-6));
  EXPECT_NEAR(forth, back, 1e-4);
}

TEST(OneClassSvm, RefusesNuOutsideItsRange) {
  const std::vector<float> kernel{1};
  EXPECT_THROW(solved(kernel, 1, 0), Error);
  EXPECT_THROW(solved(kernel, 1, 1.01), Error);
  EXPECT_THROW(solved(kernel, 1, std::nan("")), Error);
}

TEST(OneClassSvm, RefusesAKernelThatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THROW(solved(std::vector<float>{1, 0, 0, kInfinity}, 2, 0.5), Error);
}

}  // namespace
}  // namespace occam
