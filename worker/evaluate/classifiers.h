#pragma once

#include <torch/types.h>

#include <vector>

#include "experiments/evaluation.h"

namespace occam {

// Anomaly scores of test rows, higher = more anomalous, from features of the inliers' train rows.
// `train` is n x d and `test` m x d, float32 on one device, every entry finite (else Error).
// Formulas: deep_representation_one_class train.py:522-582 at a36feaa. x^ is x / |x|.
class OneClassScorer {
 public:
  OneClassScorer(torch::Tensor train, torch::Tensor test);

  // 1 - max_i cos(y, x_i)                                     (train.py:526-529)
  std::vector<double> nearest();
  // -(1/gamma) log sum_i exp(2 gamma cos(y, x_i))             (train.py:561-574)
  std::vector<double> kde(double gamma_scale);
  // -log N(y^; mean, covariance + 1e-6 I), covariance over n  (train.py:575-582)
  std::vector<double> gde();
  // -sum_i alpha_i k(x^_i, y^), RBF on normalised rows        (train.py:552-560)
  std::vector<double> oc_svm_rbf(double nu, double gamma_scale);
  // -sum_i alpha_i <x_i, y>, rows not normalised              (train.py:547-551)
  std::vector<double> oc_svm_linear(double nu);

  std::vector<double> score(Classifier classifier, const ClassifierParameters& parameters);

 private:
  const torch::Tensor& similarity();        // test x train cosines, made once
  const torch::Tensor& train_similarity();  // train x train cosines, made once
  torch::Tensor train_, test_, unit_train_, unit_test_, similarity_, train_similarity_;
};

// scale / (d * population variance over all n*d entries of the L2-normalised train rows), which is
// `scale` times scikit-learn's "scale" (train.py:557, 564).
double kernel_gamma(const torch::Tensor& unit_train, double scale);

// Rotation scores from log-probabilities of the four rotations, m x 4 (unrotated image's own) or
// m x 4 x 4 (copy, predicted rotation):
// upright: 1 - p(0 | y) (train.py:531-532); product: the order of 1 - prod_k p(k | rot_k y), as
// -sum_k log p(k | rot_k y), which has no ties by rounding at 1 (train.py:533-534, 604-612).
std::vector<double> rotation_upright_scores(const torch::Tensor& log_probabilities);
std::vector<double> rotation_scores(const torch::Tensor& log_probabilities);

}  // namespace occam
