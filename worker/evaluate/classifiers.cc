#include "worker/evaluate/classifiers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "experiments/error.h"
#include "worker/evaluate/chunks.h"
#include "worker/evaluate/gaussian.h"
#include "worker/evaluate/one_class_svm.h"

namespace occam {
namespace {

std::vector<double> to_vector(const torch::Tensor& scores) {
  const torch::Tensor flat = scores.to(torch::kCPU, torch::kDouble).contiguous();
  const auto* first = flat.const_data_ptr<double>();
  return {first, first + flat.numel()};
}

// The dual's a for a kernel matrix of train rows, on the device of the matrix.
torch::Tensor solve(const torch::Tensor& kernel, double nu) {
  const torch::Tensor matrix = kernel.cpu().contiguous();
  const std::vector<double> alphas = solve_one_class_svm(
      {matrix.const_data_ptr<float>(), static_cast<std::size_t>(matrix.numel())},
      static_cast<std::size_t>(matrix.size(0)), nu);
  return at::tensor(alphas, torch::kDouble).to(kernel.device());
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

void check_finite(const torch::Tensor& norms, const std::string& which) {
  const torch::Tensor bad = at::isfinite(norms).logical_not().flatten().nonzero();
  if (bad.size(0) > 0)
    throw Error("features of " + which + " row " + std::to_string(bad[0].item<std::int64_t>()) +
                " hold a NaN or an infinity, or are too large for float32");
}

torch::Tensor norms_of(const torch::Tensor& rows) {
  // In double, so that tiny and huge rows have a norm too.
  return at::linalg_vector_norm(rows, 2, {1}, true, torch::kDouble).to(torch::kFloat);
}

torch::Tensor as_given(const torch::Tensor& rows) {
  assert(rows.dim() == 2 && rows.scalar_type() == torch::kFloat);
  return rows.detach().contiguous();
}

}  // namespace

OneClassScorer::OneClassScorer(const torch::Tensor& train, const torch::Tensor& test)
    : train_(as_given(train)), test_(as_given(test)) {
  assert(train_.size(1) == test_.size(1) && train_.device() == test_.device());
  if (train_.size(0) == 0) throw Error("one-class scores need at least one train row");
  check_finite(norms_of(train_), "train");
  check_finite(norms_of(test_), "test");
  unit_train_ = unit_rows(train_);
  unit_test_ = unit_rows(test_);
  const torch::Tensor mean =
      unit_train_.rows.mean(at::IntArrayRef{0}, true, torch::kDouble).to(torch::kFloat);
  centre(unit_train_, mean);
  centre(unit_test_, mean);
  further_than_by_distance_ = 1 - unit_train_.square.t();
}

OneClassScorer::UnitRows OneClassScorer::unit_rows(const torch::Tensor& rows) {
  // A row of zeros stays one; the smallest normal float keeps 1 / norm finite.
  constexpr float kTiny = std::numeric_limits<float>::min();
  const torch::Tensor norms = norms_of(rows);
  UnitRows unit;
  unit.rows = rows / norms.clamp_min(kTiny);
  unit.square = norms.ge(kTiny).to(torch::kFloat);
  return unit;
}

void OneClassScorer::centre(UnitRows& unit, const torch::Tensor& mean) {
  unit.centred = unit.rows - mean;
  unit.centred_square = norms_of(unit.centred).square();
}

void OneClassScorer::squared_distances(torch::Tensor tile, const UnitRows& from, const Chunk& rows,
                                       const UnitRows& to, const Chunk& columns) {
  at::addmm_out(tile, columns.of(to.centred_square).t(), rows.of(from.centred),
                columns.of(to.centred).t(), /*beta=*/1, /*alpha=*/-2);
  tile.add_(rows.of(from.centred_square)).clamp_min_(0);
}

const torch::Tensor& OneClassScorer::test_to_train() {
  if (test_to_train_.defined()) return test_to_train_;
  const torch::Tensor distances = large_matrix(test_.size(0), train_.size(0), test_.device());
  const std::int64_t side = tile_side(test_.device());
  for_each_chunk(test_.size(0), side, [&](const Chunk& rows) {
    for_each_chunk(train_.size(0), side, [&](const Chunk& columns) {
      squared_distances(columns.columns_of(rows.of(distances)), unit_test_, rows, unit_train_,
                        columns);
    });
  });
  return test_to_train_ = distances;
}

std::vector<double> OneClassScorer::nearest(std::int64_t k) {
  if (k > train_.size(0))
    throw Error("nearest with k " + std::to_string(k) + " needs as many train rows; there are " +
                std::to_string(train_.size(0)));
  const torch::Tensor& distances = test_to_train();
  const torch::Device device = distances.device();
  const std::int64_t rows = distances.size(0), n = distances.size(1), d = train_.size(1);
  torch::Tensor found = at::empty({rows, k}, at::device(device).dtype(torch::kLong));
  const std::int64_t searched_at_a_time = std::min(rows, rows_at_a_time(device, n));
  const Room room(searched_at_a_time * n, torch::kFloat, device);
  for_each_chunk(rows, searched_at_a_time, [&](const Chunk& chunk) {
    torch::Tensor searched = room.shaped(chunk.count, n);
    at::add_out(searched, chunk.of(distances), further_than_by_distance_);
    chunk.of(found).copy_(
        k == 1 ? searched.argmin(1, true)
               : std::get<1>(searched.topk(k, 1, /*largest=*/false, /*sorted=*/false)));
  });
  // Measured anew in double, so that copies of train rows tie, at exactly 0.
  torch::Tensor scores = at::empty({rows}, at::device(device).dtype(torch::kDouble));
  for_each_chunk(rows, rows_at_a_time(device, k * d), [&](const Chunk& chunk) {
    const torch::Tensor which = chunk.of(found).flatten();
    const torch::Tensor neighbours =
        unit_train_.rows.index_select(0, which).to(torch::kDouble).view({chunk.count, k, d});
    const torch::Tensor distance =
        neighbours.sub(chunk.of(unit_test_.rows).unsqueeze(1)).square_().sum(2);
    // 2 cos = |x^|^2 + |y^|^2 - |y^ - x^|^2
    const torch::Tensor squares =
        chunk.of(unit_test_.square) +
        unit_train_.square.flatten().index_select(0, which).view({chunk.count, k});
    chunk.of(scores).copy_((1 - (squares - distance) / 2).amax(1));
  });
  return to_vector(scores);
}

torch::ScalarType OneClassScorer::exponentials(double gamma) const {
  constexpr double kFlat = 0.1;
  const double apart = 2 * unit_train_.centred_square.mean(torch::kDouble).item<double>();
  return gamma * apart > kFlat ? torch::kFloat : torch::kDouble;
}

std::vector<double> OneClassScorer::kde(double gamma_scale) {
  const double gamma = kernel_gamma(unit_train_.rows, gamma_scale);
  const KernelSums kernels =
      kernel_sums(test_to_train(), further_than_by_distance_, gamma,
                  at::ones({train_.size(0)}, at::device(train_.device()).dtype(torch::kDouble)),
                  exponentials(gamma));
  // 2 cos = 1 + |y^|^2 - (|y^ - x^|^2 + 1 - |x^|^2)
  return to_vector(kernels.least - unit_test_.square.squeeze(1) - 1 - kernels.sums.log() / gamma);
}

std::vector<double> OneClassScorer::gde() {
  return to_vector(gaussian_surprise(unit_train_.centred, unit_test_.centred));
}

std::vector<double> OneClassScorer::oc_svm_rbf(double nu, double gamma_scale) {
  const double gamma = kernel_gamma(unit_train_.rows, gamma_scale);
  const torch::Tensor alphas =
      solve(symmetric_matrix(train_.size(0), train_.device(),
                             [&](torch::Tensor tile, const Chunk& rows, const Chunk& columns) {
                               squared_distances(tile, unit_train_, rows, unit_train_, columns);
                               tile.mul_(-gamma).exp_();
                             }),
            nu);
  const torch::Tensor without_weight =
      at::zeros_like(further_than_by_distance_)
          .masked_fill_(alphas.eq(0).unsqueeze(0), std::numeric_limits<float>::infinity());
  const KernelSums kernels =
      kernel_sums(test_to_train(), without_weight, gamma, alphas, exponentials(gamma));
  return to_vector(kernels.sums.mul(kernels.least.mul(-gamma).exp_()).neg_());
}

std::vector<double> OneClassScorer::oc_svm_linear(double nu) {
  const torch::Tensor alphas =
      solve(symmetric_matrix(train_.size(0), train_.device(),
                             [&](torch::Tensor tile, const Chunk& rows, const Chunk& columns) {
                               at::mm_out(tile, rows.of(train_), columns.of(train_).t());
                             }),
            nu);
  const std::int64_t at_a_time = rows_at_a_time(train_.device(), train_.size(1));
  torch::Tensor normal = at::zeros({train_.size(1)}, alphas.options());
  for_each_chunk(train_.size(0), at_a_time, [&](const Chunk& chunk) {
    normal.addmv_(chunk.of(train_).to(torch::kDouble).t(), chunk.of(alphas));
  });
  torch::Tensor scores = at::empty({test_.size(0)}, alphas.options());
  for_each_chunk(test_.size(0), at_a_time, [&](const Chunk& chunk) {
    chunk.of(scores).copy_(chunk.of(test_).to(torch::kDouble).mv(normal).neg_());
  });
  return to_vector(scores);
}

std::vector<double> OneClassScorer::score(Classifier classifier,
                                          const ClassifierParameters& parameters) {
  switch (classifier) {
    case Classifier::oc_svm_rbf:
      return oc_svm_rbf(parameters.nu, parameters.gamma_scale);
    case Classifier::oc_svm_linear:
      return oc_svm_linear(parameters.nu);
    case Classifier::kde:
      return kde(parameters.gamma_scale);
    case Classifier::gde:
      return gde();
    case Classifier::nearest:
      return nearest(parameters.k);
    case Classifier::rotation:
    case Classifier::rotation_upright:
      break;
  }
  throw std::logic_error("rotation scores read log-probabilities, not features");
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
