#include "worker/evaluate/one_class_svm.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "experiments/error.h"

namespace occam {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestCurvature = 1e-12;  // libsvm's TAU, for pairs of equal rows

// Two doubles as every 64-bit processor adds and compares them at once. A compiler does not come to
// them by itself where a minimum is sought, since without -ffast-math it may not reorder one.
using Two = double __attribute__((vector_size(16)));
using TwoFloats = float __attribute__((vector_size(8)));
constexpr std::size_t kTwos = 4;  // independent ones, as one waits for the one before it
constexpr std::size_t kStep = 2 * kTwos;
constexpr std::size_t kBlock = 32 * kStep;

Two load(const double* from) {
  Two loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

Two load(const float* from) {
  TwoFloats loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return __builtin_convertvector(loaded, Two);
}

constexpr Two kInfinities{kInfinity, kInfinity};

Two lesser(Two a, Two b) { return a < b ? a : b; }
Two greater(Two a, Two b) { return a > b ? a : b; }

// Places for so many rows that the last block is whole.
std::size_t padded(std::size_t rows) { return (rows + kBlock - 1) / kBlock * kBlock; }

// The smallest of some numbers that are seen a block after the other, and of equal ones the first.
// Where in a block is looked for once, at the end: to carry rows along would cost more than the
// rest.
class Minimum {
 public:
  void see(std::size_t block, const Two (&some)[kTwos]) {
    const Two least = lesser(lesser(some[0], some[1]), lesser(some[2], some[3]));
    const double value = std::min(least[0], least[1]);
    if (value < value_) {
      value_ = value;
      block_ = block;
    }
  }
  double value() const { return value_; }
  std::size_t block() const { return block_; }
  // `scores(t)` makes the numbers of t and t + 1 anew.
  template <class Scores>
  std::size_t row(Scores scores) const {
    for (std::size_t t = block_; t < block_ + kBlock; t += 2) {
      const Two here = scores(t);
      if (here[0] == value_) return t;
      if (here[1] == value_) return t + 1;
    }
    return block_;
  }

 private:
  double value_ = kInfinity;
  std::size_t block_ = 0;
};

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
  Smo(const Kernel& kernel, double nu)
      : kernel_(kernel),
        rows_(kernel.diagonal.size()),
        alphas_(initial_alphas(rows_, nu)),
        gradient_(padded(rows_), 0),
        full_(padded(rows_), kInfinity),
        empty_(padded(rows_), kInfinity),
        diagonal_(padded(rows_), 0),
        grower_row_(padded(rows_), 0),
        shrinker_row_(padded(rows_), 0) {
    std::copy(kernel.diagonal.begin(), kernel.diagonal.end(), diagonal_.begin());
    for (std::size_t i = 0; i < rows_; ++i) note_bounds(i);
    for (std::size_t j = 0; j < rows_; ++j)
      if (alphas_[j] > 0) add_to_gradient(j, alphas_[j]);
  }

  void solve(double tolerance) {
    const std::size_t most_steps = std::max<std::size_t>(10'000'000, 100 * rows_);  // libsvm's
    Extremes extremes = change_gradient(0);
    for (std::size_t step = 0; step < most_steps; ++step) {
      if (violation(extremes) < tolerance) return;
      const std::size_t grower = extremes.lowest_to_grow.row(
          [this](std::size_t t) { return load(&gradient_[t]) + load(&full_[t]); });
      read_row(grower, grower_row_);
      const std::size_t shrinker = best_shrinker(grower);
      read_row(shrinker, shrinker_row_);
      extremes = move(grower, shrinker);
    }
    throw Error("one-class SVM: violation is still " + std::to_string(violation(extremes)) +
                " after " + std::to_string(most_steps) + " steps, not below " +
                std::to_string(tolerance) +
                "; features of a smaller scale, normalised ones, would converge");
  }

  std::vector<double> alphas() && { return std::move(alphas_); }

 private:
  void read_row(std::size_t i, std::vector<float>& into) const {
    kernel_.row(i, {into.data(), rows_});
  }

  // Bounds are added to gradients, which keeps the loops over rows free of branches.
  void note_bounds(std::size_t i) {
    full_[i] = alphas_[i] < 1 ? 0 : kInfinity;
    empty_[i] = alphas_[i] > 0 ? 0 : kInfinity;
  }

  void add_to_gradient(std::size_t j, double change) {
    read_row(j, grower_row_);
    const float* __restrict kernel = grower_row_.data();
    double* __restrict gradient = gradient_.data();
    for (std::size_t t = 0; t < rows_; ++t) gradient[t] += change * kernel[t];
  }

  // The lowest gradient of a row that can grow, and the highest, negative, of one that can shrink.
  struct Extremes {
    Minimum lowest_to_grow, negative_highest_to_shrink;
  };

  static double violation(const Extremes& extremes) {
    return -extremes.negative_highest_to_shrink.value() - extremes.lowest_to_grow.value();
  }

  // Adds change (K_grower - K_shrinker), and finds the extremes of what comes of it in the same
  // pass.
  Extremes change_gradient(double change) {
    const Two both{change, change};
    Extremes extremes;
    for (std::size_t first = 0; first < rows_; first += kBlock) {
      const float* more = &grower_row_[first];
      const float* less = &shrinker_row_[first];
      double* gradient = &gradient_[first];
      const double* full = &full_[first];
      const double* empty = &empty_[first];
      Two to_grow[kTwos], to_shrink[kTwos];
      std::fill_n(to_grow, kTwos, kInfinities);
      std::fill_n(to_shrink, kTwos, kInfinities);
      for (std::size_t t = 0; t < kBlock; t += kStep)
        for (std::size_t k = 0; k < kTwos; ++k) {
          const std::size_t at = t + 2 * k;
          const Two changed = load(gradient + at) + both * (load(more + at) - load(less + at));
          std::memcpy(gradient + at, &changed, sizeof changed);
          to_grow[k] = lesser(changed + load(full + at), to_grow[k]);
          to_shrink[k] = lesser(load(empty + at) - changed, to_shrink[k]);
        }
      extremes.lowest_to_grow.see(first, to_grow);
      extremes.negative_highest_to_shrink.see(first, to_shrink);
    }
    return extremes;
  }

  // Of t and t + 1.
  Two negative_gains(std::size_t grower, std::size_t t) const {
    const Two lowest{gradient_[grower], gradient_[grower]};
    const Two own{diagonal_[grower], diagonal_[grower]};
    const Two difference = greater(load(&gradient_[t]) - lowest, Two{0, 0});
    const Two curvature = own + load(&diagonal_[t]) - 2.0 * load(&grower_row_[t]);
    return load(&empty_[t]) - difference * difference /
                                  greater(curvature, Two{kSmallestCurvature, kSmallestCurvature});
  }

  // The partner whose exchange with the grower lowers the objective most, if bounds allowed it.
  std::size_t best_shrinker(std::size_t grower) const {
    Minimum best;
    for (std::size_t first = 0; first < rows_; first += kBlock) {
      Two gains[kTwos];
      std::fill_n(gains, kTwos, kInfinities);
      for (std::size_t t = first; t < first + kBlock; t += kStep)
        for (std::size_t k = 0; k < kTwos; ++k)
          gains[k] = lesser(negative_gains(grower, t + 2 * k), gains[k]);
      best.see(first, gains);
    }
    return best.row([&](std::size_t t) { return negative_gains(grower, t); });
  }

  Extremes move(std::size_t grower, std::size_t shrinker) {
    const double curvature =
        diagonal_[grower] + diagonal_[shrinker] - 2.0 * static_cast<double>(grower_row_[shrinker]);
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
    return change_gradient(moved);
  }

  const Kernel& kernel_;
  std::size_t rows_;
  std::vector<double> alphas_;
  std::vector<double> gradient_;      // K a
  std::vector<double> full_, empty_;  // infinite where a_i cannot grow, cannot shrink; else 0
  std::vector<double> diagonal_;
  std::vector<float> grower_row_, shrinker_row_;  // of the kernel, of the pair that moves
};

}  // namespace

std::vector<double> solve_one_class_svm(const Kernel& kernel, double nu, double tolerance) {
  if (!(nu > 0 && nu <= 1))
    throw Error("one-class SVM: nu is " + std::to_string(nu) + ", not in (0, 1]");
  for (std::size_t i = 0; i < kernel.diagonal.size(); ++i)
    if (!std::isfinite(kernel.diagonal[i]))
      throw Error("one-class SVM: the kernel of train row " + std::to_string(i) +
                  " with itself is not finite: its features are too large for float32");
  Smo smo(kernel, nu);
  smo.solve(tolerance);
  return std::move(smo).alphas();
}

}  // namespace occam
