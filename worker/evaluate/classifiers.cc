#include "worker/evaluate/classifiers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <stdexcept>
#include <string>

#include "experiments/error.h"
#include "worker/evaluate/one_class_svm.h"

namespace occam {
namespace {

constexpr double kCovarianceFloor = 1e-6;          // scikit-learn's reg_covar
constexpr std::int64_t kChunkEntries = 1LL << 19;  // 4 MB of double: stays in a cache

std::vector<double> to_vector(const torch::Tensor& scores) {
  const torch::Tensor flat = scores.to(torch::kCPU, torch::kDouble).contiguous();
  const auto* first = flat.const_data_ptr<double>();
  return {first, first + flat.numel()};
}

// Consecutive rows of a float32 matrix, widened; the only doubles of its width there ever are.
struct Chunk {
  std::int64_t first;
  torch::Tensor rows;
  torch::Tensor part_of(const torch::Tensor& all) const {
    return all.narrow(0, first, rows.size(0));
  }
};

template <class Visit>
void for_each_chunk(const torch::Tensor& matrix, Visit visit) {
  const std::int64_t step =
      std::max<std::int64_t>(1, kChunkEntries / std::max<std::int64_t>(1, matrix.size(1)));
  for (std::int64_t first = 0; first < matrix.size(0); first += step) {
    const std::int64_t count = std::min(step, matrix.size(0) - first);
    visit(Chunk{first, matrix.narrow(0, first, count).to(torch::kDouble)});
  }
}

template <class Score>
std::vector<double> score_by_chunks(const torch::Tensor& matrix, Score score) {
  std::vector<double> scores;
  for_each_chunk(matrix, [&](const Chunk& chunk) {
    const std::vector<double> some = to_vector(score(chunk));
    scores.insert(scores.end(), some.begin(), some.end());
  });
  return scores;
}

template <class Part>
torch::Tensor sum_by_chunks(const torch::Tensor& matrix, Part part) {
  torch::Tensor sum;
  for_each_chunk(matrix, [&](const Chunk& chunk) {
    sum = sum.defined() ? sum.add_(part(chunk)) : part(chunk);
  });
  return sum;
}

// The dual's a for a kernel matrix of train rows, on the device of the matrix.
torch::Tensor solve(const torch::Tensor& kernel, double nu) {
  const torch::Tensor matrix = kernel.cpu().contiguous();
  const std::vector<double> alphas = solve_one_class_svm(
      {matrix.const_data_ptr<float>(), static_cast<std::size_t>(matrix.numel())},
      static_cast<std::size_t>(matrix.size(0)), nu);
  return at::tensor(alphas, torch::kDouble).to(kernel.device());
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

torch::Tensor OneClassScorer::squared_distances(const UnitRows& from, const UnitRows& to) {
  return at::matmul(from.centred, to.centred.t())
      .mul_(-2)
      .add_(from.centred_square)
      .add_(to.centred_square.t())
      .clamp_min_(0);
}

const torch::Tensor& OneClassScorer::test_to_train() {
  if (!test_to_train_.defined()) test_to_train_ = squared_distances(unit_test_, unit_train_);
  return test_to_train_;
}

std::vector<double> OneClassScorer::nearest(std::int64_t k) {
  if (k > train_.size(0))
    throw Error("nearest with k " + std::to_string(k) + " needs as many train rows; there are " +
                std::to_string(train_.size(0)));
  // 2 cos = |x^|^2 + |y^|^2 - |y^ - x^|^2; in the search |y^|^2 is the same for all.
  const torch::Tensor zero_train = 1 - unit_train_.square.t();
  return score_by_chunks(test_to_train(), [&](const Chunk& distances) {
    const torch::Tensor searched = distances.rows + zero_train;
    const torch::Tensor found =
        k == 1 ? searched.argmin(1, true)
               : std::get<1>(searched.topk(k, 1, /*largest=*/false, /*sorted=*/false));
    // Measured anew in double, so that copies of train rows tie, at exactly 0.
    const torch::Tensor neighbours = unit_train_.rows.index_select(0, found.flatten())
                                         .to(torch::kDouble)
                                         .view({found.size(0), k, train_.size(1)});
    const torch::Tensor distance =
        neighbours.sub(distances.part_of(unit_test_.rows).unsqueeze(1)).square_().sum(2);
    const torch::Tensor squares =
        distances.part_of(unit_test_.square) +
        unit_train_.square.flatten().index_select(0, found.flatten()).view_as(found);
    return std::get<0>((1 - (squares - distance) / 2).max(1));
  });
}

std::vector<double> OneClassScorer::kde(double gamma_scale) {
  const double gamma = kernel_gamma(unit_train_.rows, gamma_scale);
  const torch::Tensor train_square = unit_train_.square.t();
  return score_by_chunks(test_to_train(), [&](const Chunk& distances) {
    const torch::Tensor twice_cosine =
        train_square + distances.part_of(unit_test_.square) - distances.rows;
    return twice_cosine.mul(gamma).logsumexp(1) / -gamma;
  });
}

std::vector<double> OneClassScorer::gde() {
  const auto n = static_cast<double>(train_.size(0));
  const auto d = static_cast<double>(train_.size(1));
  // Rows seen from near their mean: the covariance is the same and loses no digits.
  const torch::Tensor mean = unit_train_.centred.mean(at::IntArrayRef{0}, true, torch::kDouble);
  torch::Tensor covariance = at::zeros({train_.size(1), train_.size(1)}, mean.options());
  for_each_chunk(unit_train_.centred, [&](const Chunk& chunk) {
    const torch::Tensor rows = chunk.rows - mean;
    covariance.addmm_(rows.t(), rows);
  });
  covariance.div_(n);
  covariance.diagonal().add_(kCovarianceFloor);
  const auto [factor, failure] = at::linalg_cholesky_ex(covariance);
  if (failure.item<int>() != 0)
    throw Error("gde: the covariance of the train features is not positive definite (at feature " +
                std::to_string(failure.item<int>() - 1) + ")");
  const double constant =
      d * std::log(2 * std::numbers::pi) / 2 + factor.diagonal().log().sum().item<double>();
  return score_by_chunks(unit_test_.centred, [&, &factor = factor](const Chunk& chunk) {
    const torch::Tensor whitened =
        at::linalg_solve_triangular(factor, (chunk.rows - mean).t(), /*upper=*/false);
    return whitened.square().sum(0) / 2 + constant;
  });
}

std::vector<double> OneClassScorer::oc_svm_rbf(double nu, double gamma_scale) {
  const double gamma = kernel_gamma(unit_train_.rows, gamma_scale);
  const torch::Tensor alphas =
      solve(squared_distances(unit_train_, unit_train_).mul_(-gamma).exp_(), nu);
  return score_by_chunks(test_to_train(), [&](const Chunk& distances) {
    return -(distances.rows * -gamma).exp_().mv(alphas);
  });
}

std::vector<double> OneClassScorer::oc_svm_linear(double nu) {
  const torch::Tensor alphas = solve(at::matmul(train_, train_.t()), nu);
  const torch::Tensor normal = sum_by_chunks(
      train_, [&](const Chunk& chunk) { return chunk.rows.t().mv(chunk.part_of(alphas)); });
  return score_by_chunks(test_, [&](const Chunk& chunk) { return -chunk.rows.mv(normal); });
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
  const torch::Tensor squares = sum_by_chunks(
      unit_train, [&](const Chunk& chunk) { return (chunk.rows - mean).square_().sum(); });
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
