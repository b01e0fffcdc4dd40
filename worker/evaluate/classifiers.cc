#include "worker/evaluate/classifiers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "experiments/error.h"
#include "worker/evaluate/chunks.h"
#include "worker/evaluate/feature_rows.h"
#include "worker/evaluate/gaussian.h"
#include "worker/evaluate/kernel_matrix.h"
#include "worker/evaluate/one_class_svm.h"

namespace occam {
namespace {

// Some test rows, as a fitted classifier sees them.
class TestRows {
 public:
  // `room` is for the distances, and made by the first rows that need it: the others are no more.
  TestRows(const torch::Tensor& given, const FeatureRows& train, torch::Tensor& room)
      : rows(given, train.centre), train_(train), room_(room) {}

  const FeatureRows rows;

  // |y^ - x^_i|^2 to all train rows, made once.
  const torch::Tensor& distances() {
    if (distances_.defined()) return distances_;
    if (!room_.defined()) room_ = large_matrix(rows.count(), train_.count(), rows.device());
    distances_ = room_.narrow(0, 0, rows.count());
    for_each_chunk(train_.count(), tile_side(rows.device()), [&](const Chunk& columns) {
      squared_distances(columns.columns_of(distances_), rows, {0, rows.count()}, train_, columns);
    });
    return distances_;
  }

 private:
  const FeatureRows& train_;
  torch::Tensor& room_;
  torch::Tensor distances_;
};

// A classifier once it has seen the train rows: makes the scores, in double, of test rows.
using Fitted = std::function<torch::Tensor(TestRows&)>;

// What 2 - 2 cos(y, x_i) is beside |y^ - x^_i|^2, of rows that are not zeros.
torch::Tensor further_than_by_distance(const FeatureRows& train) { return 1 - train.square.t(); }

std::vector<double> to_vector(const torch::Tensor& scores) {
  const torch::Tensor flat = scores.to(torch::kCPU, torch::kDouble).contiguous();
  const auto* first = flat.const_data_ptr<double>();
  return {first, first + flat.numel()};
}

Fitted nearest(const FeatureRows& train, std::int64_t k) {
  if (k > train.count())
    throw Error("nearest with k " + std::to_string(k) + " needs as many train rows; there are " +
                std::to_string(train.count()));
  const torch::Tensor further = further_than_by_distance(train);
  return [&train, k, further](TestRows& test) {
    const torch::Device device = train.device();
    const std::int64_t rows = test.rows.count(), n = train.count(), d = train.features();
    torch::Tensor found = at::empty({rows, k}, at::device(device).dtype(torch::kLong));
    const std::int64_t searched_at_a_time = std::min(rows, rows_at_a_time(device, n));
    const Room room(searched_at_a_time * n, torch::kFloat, device);
    for_each_chunk(rows, searched_at_a_time, [&](const Chunk& chunk) {
      torch::Tensor searched = room.shaped(chunk.count, n);
      at::add_out(searched, chunk.of(test.distances()), further);
      chunk.of(found).copy_(
          k == 1 ? searched.argmin(1, true)
                 : std::get<1>(searched.topk(k, 1, /*largest=*/false, /*sorted=*/false)));
    });
    // Measured anew in double, so that copies of train rows tie, at exactly 0.
    torch::Tensor scores = at::empty({rows}, at::device(device).dtype(torch::kDouble));
    for_each_chunk(rows, rows_at_a_time(device, k * d), [&](const Chunk& chunk) {
      const torch::Tensor which = chunk.of(found).flatten();
      const torch::Tensor neighbours =
          train.unit.index_select(0, which).to(torch::kDouble).view({chunk.count, k, d});
      const torch::Tensor distance =
          neighbours.sub(chunk.of(test.rows.unit).unsqueeze(1)).square_().sum(2);
      // 2 cos = |x^|^2 + |y^|^2 - |y^ - x^|^2
      const torch::Tensor squares =
          chunk.of(test.rows.square) +
          train.square.flatten().index_select(0, which).view({chunk.count, k});
      chunk.of(scores).copy_((1 - (squares - distance) / 2).amax(1));
    });
    return scores;
  };
}

// sum_i weights_i exp(-gamma distance_i) of each row, as sums exp(-gamma least): the largest term
// that is summed is 1, however far the row is.
struct KernelSums {
  torch::Tensor least, sums;  // double
};

// `further` is added to each row of distances; where it is infinite, a column is left out. `type`
// is that of the exponentials; they are summed in double, each row by itself, so that equal rows
// tie wherever they stand.
KernelSums kernel_sums(const torch::Tensor& distances, const torch::Tensor& further, double gamma,
                       const torch::Tensor& weights, torch::ScalarType type) {
  const std::int64_t rows = distances.size(0), columns = distances.size(1);
  const torch::Device device = distances.device();
  const std::int64_t at_a_time = std::min(rows, rows_at_a_time(device, columns));
  const Room room(at_a_time * columns, type, device);
  const Room wide(at_a_time * columns, torch::kDouble, device);
  KernelSums found{at::empty({rows}, weights.options()), at::empty({rows}, weights.options())};
  for_each_chunk(rows, at_a_time, [&](const Chunk& chunk) {
    torch::Tensor terms = room.shaped(chunk.count, columns);
    at::add_out(terms, chunk.of(distances), further);
    const torch::Tensor least = terms.amin(1, true);
    terms.sub_(least).mul_(-gamma).exp_();
    chunk.of(found.least).copy_(least.squeeze(1));
    chunk.of(found.sums).copy_(wide.shaped(chunk.count, columns).copy_(terms).mul_(weights).sum(1));
  });
  return found;
}

// What exp(-gamma |x^ - y^|^2) is taken in: float32 holds it near exactly, but where it is nearly
// the same for all rows, as on collapsed features, the little by which they differ is lost in it.
torch::ScalarType exponentials(const FeatureRows& train, double gamma) {
  constexpr double kFlat = 0.1;
  const double apart = 2 * train.centred_square.mean(torch::kDouble).item<double>();
  return gamma * apart > kFlat ? torch::kFloat : torch::kDouble;
}

Fitted kde(const FeatureRows& train, double gamma_scale) {
  const double gamma = kernel_gamma(train.unit, gamma_scale);
  const torch::ScalarType type = exponentials(train, gamma);
  const torch::Tensor further = further_than_by_distance(train);
  const torch::Tensor ones =
      at::ones({train.count()}, at::device(train.device()).dtype(torch::kDouble));
  return [=](TestRows& test) {
    const KernelSums kernels = kernel_sums(test.distances(), further, gamma, ones, type);
    // 2 cos = 1 + |y^|^2 - (|y^ - x^|^2 + 1 - |x^|^2)
    return kernels.least - test.rows.square.squeeze(1) - 1 - kernels.sums.log() / gamma;
  };
}

Fitted gde(const FeatureRows& train) {
  const Gaussian gaussian(train.centred);
  return [=](TestRows& test) { return gaussian.surprise(test.rows.centred); };
}

// The dual's a, on the device of the train rows.
torch::Tensor solve(const Kernel& kernel, double nu, torch::Device device) {
  return at::tensor(solve_one_class_svm(kernel, nu), torch::kDouble).to(device);
}

Fitted oc_svm_rbf(const FeatureRows& train, KernelMatrix& kernel, double nu, double gamma_scale) {
  const double gamma = kernel_gamma(train.unit, gamma_scale);
  const torch::ScalarType type = exponentials(train, gamma);
  const torch::Tensor alphas = solve(kernel.rbf(gamma), nu, train.device());
  const torch::Tensor without_weight =
      at::zeros({1, train.count()}, at::device(train.device()).dtype(torch::kFloat))
          .masked_fill_(alphas.eq(0).unsqueeze(0), std::numeric_limits<float>::infinity());
  return [=](TestRows& test) {
    const KernelSums kernels = kernel_sums(test.distances(), without_weight, gamma, alphas, type);
    return kernels.sums.mul(kernels.least.mul(-gamma).exp_()).neg_();
  };
}

Fitted oc_svm_linear(const FeatureRows& train, KernelMatrix& kernel, double nu) {
  const torch::Tensor alphas = solve(kernel.linear(), nu, train.device());
  const std::int64_t at_a_time = rows_at_a_time(train.device(), train.features());
  torch::Tensor normal = at::zeros({train.features()}, alphas.options());
  for_each_chunk(train.count(), at_a_time, [&](const Chunk& chunk) {
    normal.addmv_(chunk.of(train.given).to(torch::kDouble).t(), chunk.of(alphas));
  });
  return [=](TestRows& test) {
    torch::Tensor scores = at::empty({test.rows.count()}, normal.options());
    for_each_chunk(test.rows.count(), at_a_time, [&](const Chunk& chunk) {
      chunk.of(scores).copy_(chunk.of(test.rows.given).to(torch::kDouble).mv(normal).neg_());
    });
    return scores;
  };
}

Fitted fit(const ChosenClassifier& one, const FeatureRows& train, KernelMatrix& kernel) {
  const ClassifierParameters& parameters = one.parameters;
  switch (one.classifier) {
    case Classifier::oc_svm_rbf:
      return oc_svm_rbf(train, kernel, parameters.nu, parameters.gamma_scale);
    case Classifier::oc_svm_linear:
      return oc_svm_linear(train, kernel, parameters.nu);
    case Classifier::kde:
      return kde(train, parameters.gamma_scale);
    case Classifier::gde:
      return gde(train);
    case Classifier::nearest:
      return nearest(train, parameters.k);
    case Classifier::rotation:
    case Classifier::rotation_upright:
      break;
  }
  throw std::logic_error("rotation scores read log-probabilities, not features");
}

// Linear SVMs first: they leave the distances to an RBF kernel.
std::vector<std::size_t> order_of_fits(const std::vector<ChosenClassifier>& classifiers) {
  std::vector<std::size_t> order(classifiers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_partition(order.begin(), order.end(), [&](std::size_t i) {
    return classifiers[i].classifier == Classifier::oc_svm_linear;
  });
  return order;
}

}  // namespace

double steady_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::vector<Scores> one_class_scores(const torch::Tensor& train, const torch::Tensor& test,
                                     const std::vector<ChosenClassifier>& classifiers,
                                     const std::function<void()>& on_part,
                                     const std::function<double()>& clock) {
  assert(train.size(1) == test.size(1) && train.device() == test.device());
  if (train.size(0) == 0) throw Error("one-class scores need at least one train row");
  std::vector<Scores> all(classifiers.size());
  double charged_until = clock();
  const auto charge = [&](Scores& to) {
    const double now = clock();
    to.seconds += now - std::exchange(charged_until, now);
  };
  check_finite(train, "train");
  check_finite(test, "test");
  const FeatureRows inliers(train.detach().contiguous());
  std::vector<Fitted> fitted(classifiers.size());
  {
    KernelMatrix kernel(inliers);
    for (const std::size_t i : order_of_fits(classifiers)) {
      fitted[i] = fit(classifiers[i], inliers, kernel);
      charge(all[i]);
      on_part();
    }
  }
  torch::Tensor room;
  for_each_chunk(test.size(0), tile_side(test.device()), [&](const Chunk& chunk) {
    TestRows rows(chunk.of(test).detach().contiguous(), inliers, room);
    for (std::size_t i = 0; i < classifiers.size(); ++i) {
      const std::vector<double> scores = to_vector(fitted[i](rows));
      all[i].of_rows.insert(all[i].of_rows.end(), scores.begin(), scores.end());
      charge(all[i]);
    }
    on_part();
  });
  return all;
}

double kernel_gamma(const torch::Tensor& unit_train, double scale) {
  const auto entries = static_cast<double>(unit_train.numel());
  const double mean = unit_train.sum(torch::kDouble).item<double>() / entries;
  torch::Tensor squares = at::zeros({}, at::device(unit_train.device()).dtype(torch::kDouble));
  for_each_chunk(unit_train.size(0), rows_at_a_time(unit_train.device(), unit_train.size(1)),
                 [&](const Chunk& chunk) {
                   squares.add_(chunk.of(unit_train).to(torch::kDouble).sub_(mean).square_().sum());
                 });
  const double variance = squares.item<double>() / entries;
  // Equal entries differ by rounding after the division by their norms.
  const double rounding = std::abs(mean) * std::numeric_limits<float>::epsilon();
  if (variance <= rounding * rounding) return scale;
  return scale / (static_cast<double>(unit_train.size(1)) * variance);
}

std::vector<double> rotation_upright_scores(const torch::Tensor& log_probabilities) {
  assert(log_probabilities.dim() == 2 || log_probabilities.dim() == 3);
  const torch::Tensor own =
      log_probabilities.dim() == 3 ? log_probabilities.select(1, 0) : log_probabilities;
  // 1 - p without cancellation near p = 1.
  return to_vector(own.detach().select(1, 0).to(torch::kDouble).expm1().neg());
}

std::vector<double> rotation_scores(const torch::Tensor& log_probabilities) {
  assert(log_probabilities.dim() == 3 && log_probabilities.size(1) == log_probabilities.size(2));
  return to_vector(log_probabilities.detach().to(torch::kDouble).diagonal(0, 1, 2).sum(1).neg());
}

}  // namespace occam
