#include "worker/evaluate/one_class_svm.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "experiments/error.h"

namespace occam {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestCurvature = 1e-12;  // libsvm's TAU, for pairs of equal rows

// Independent running minima: without -ffast-math a compiler may vectorise them, but not one.
constexpr std::size_t kLanes = 8;

struct Minimum {
  double value = kInfinity;
  std::size_t row = 0;
};

// The smallest score(t) for t < rows; of equal ones the first, so that the lanes leave no trace.
template <class Score>
Minimum minimum(std::size_t rows, Score score) {
  double values[kLanes];
  std::int64_t blocks[kLanes];
  std::fill_n(values, kLanes, kInfinity);
  std::fill_n(blocks, kLanes, 0);
  const std::size_t whole = rows - rows % kLanes;
  for (std::size_t t = 0; t < whole; t += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double value = score(t + lane);
      const bool better = value < values[lane];
      values[lane] = better ? value : values[lane];
      blocks[lane] = better ? static_cast<std::int64_t>(t) : blocks[lane];
    }
  Minimum best;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const Minimum here{values[lane], static_cast<std::size_t>(blocks[lane]) + lane};
    if (here.value < best.value || (here.value == best.value && here.row < best.row)) best = here;
  }
  for (std::size_t t = whole; t < rows; ++t) {
    const double value = score(t);
    if (value < best.value) best = {value, t};
  }
  return best;
}

// libsvm's start: the first floor(nu n) rows whole, the next one the rest.
std::vector<double> initial_alphas(std::size_t rows, double nu) {
  std::vector<double> alphas(rows, 0);
  const double total = nu * static_cast<double>(rows);
  const auto ones = std::min(rows, static_cast<std::size_t>(total));
  std::fill_n(alphas.begin(), ones, 1.0);
  if (ones < rows) alphas[ones] = total - static_cast<double>(ones);
  return alphas;
}

class Smo {
 public:
  Smo(std::span<const float> kernel, std::size_t rows, double nu)
      : kernel_(kernel.data()),
        rows_(rows),
        alphas_(initial_alphas(rows, nu)),
        gradient_(rows, 0),
        full_(rows),
        empty_(rows),
        diagonal_(rows) {
    for (std::size_t i = 0; i < rows_; ++i) {
      diagonal_[i] = row(i)[i];
      note_bounds(i);
    }
    for (std::size_t j = 0; j < rows_; ++j)
      if (alphas_[j] > 0) add_to_gradient(j, alphas_[j]);
  }

  void solve(double tolerance) {
    const std::size_t most_steps = std::max<std::size_t>(10'000'000, 100 * rows_);  // libsvm's
    for (std::size_t step = 0; step < most_steps; ++step) {
      const Minimum grower = lowest_that_can_grow();
      if (violation(grower) < tolerance) return;
      move(grower.row, best_shrinker(grower));
    }
    throw Error("one-class SVM: violation is still " +
                std::to_string(violation(lowest_that_can_grow())) + " after " +
                std::to_string(most_steps) + " steps, not below " + std::to_string(tolerance) +
                "; features of a smaller scale, normalised ones, would converge");
  }

  std::vector<double> alphas() && { return std::move(alphas_); }

 private:
  const float* row(std::size_t i) const { return kernel_ + i * rows_; }

  // Bounds are added to gradients, which keeps the loops over rows free of branches.
  void note_bounds(std::size_t i) {
    full_[i] = alphas_[i] < 1 ? 0 : kInfinity;
    empty_[i] = alphas_[i] > 0 ? 0 : kInfinity;
  }

  void add_to_gradient(std::size_t j, double change) {
    const float* __restrict kernel = row(j);
    double* __restrict gradient = gradient_.data();
    for (std::size_t t = 0; t < rows_; ++t) gradient[t] += change * kernel[t];
  }

  Minimum lowest_that_can_grow() const {
    const double* __restrict gradient = gradient_.data();
    const double* __restrict full = full_.data();
    return minimum(rows_, [=](std::size_t t) { return gradient[t] + full[t]; });
  }

  double violation(const Minimum& grower) const {
    const double* __restrict gradient = gradient_.data();
    const double* __restrict empty = empty_.data();
    const Minimum shrinker = minimum(rows_, [=](std::size_t t) { return empty[t] - gradient[t]; });
    return -shrinker.value - grower.value;
  }

  // The partner whose exchange with the grower lowers the objective most, if bounds allowed it.
  std::size_t best_shrinker(const Minimum& grower) const {
    const double* __restrict gradient = gradient_.data();
    const double* __restrict empty = empty_.data();
    const double* __restrict diagonal = diagonal_.data();
    const float* __restrict kernel = row(grower.row);
    const double own = diagonal[grower.row];
    const double lowest = grower.value;
    const auto negative_gain = [=](std::size_t t) {
      const double difference = gradient[t] - lowest;
      const double curvature = own + diagonal[t] - 2.0 * kernel[t];
      const double safe = curvature > kSmallestCurvature ? curvature : kSmallestCurvature;
      return (difference > 0 ? -difference * difference / safe : 0) + empty[t];
    };
    return minimum(rows_, negative_gain).row;
  }

  void move(std::size_t grower, std::size_t shrinker) {
    const double curvature =
        diagonal_[grower] + diagonal_[shrinker] - 2.0 * static_cast<double>(row(grower)[shrinker]);
    const double wanted =
        (gradient_[shrinker] - gradient_[grower]) / std::max(curvature, kSmallestCurvature);
    const double room = 1 - alphas_[grower];
    const double stock = alphas_[shrinker];
    const double moved = std::min({wanted, room, stock});
    // A bound that is reached is reached exactly: the next choice compares with 0 and 1.
    alphas_[grower] = moved == room ? 1 : alphas_[grower] + moved;
    alphas_[shrinker] = moved == stock ? 0 : stock - moved;
    note_bounds(grower);
    note_bounds(shrinker);
    const float* __restrict up = row(grower);
    const float* __restrict down = row(shrinker);
    double* __restrict gradient = gradient_.data();
    for (std::size_t t = 0; t < rows_; ++t)
      gradient[t] += moved * (static_cast<double>(up[t]) - static_cast<double>(down[t]));
  }

  const float* kernel_;
  std::size_t rows_;
  std::vector<double> alphas_;
  std::vector<double> gradient_;      // K a
  std::vector<double> full_, empty_;  // infinite where a_i cannot grow, cannot shrink; else 0
  std::vector<double> diagonal_;
};

}  // namespace

std::vector<double> solve_one_class_svm(std::span<const float> kernel, std::size_t rows, double nu,
                                        double tolerance) {
  assert(kernel.size() == rows * rows);
  if (!(nu > 0 && nu <= 1))
    throw Error("one-class SVM: nu is " + std::to_string(nu) + ", not in (0, 1]");
  for (std::size_t i = 0; i < rows; ++i)
    if (!std::isfinite(kernel[i * rows + i]))
      throw Error("one-class SVM: the kernel of train row " + std::to_string(i) +
                  " with itself is not finite: its features are too large for float32");
  Smo smo(kernel, rows, nu);
  smo.solve(tolerance);
  return std::move(smo).alphas();
}

}  // namespace occam
