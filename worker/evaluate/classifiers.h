#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "experiments/evaluation.h"

namespace occam {

// A classifier with its parameters, which makes one score a row of features.
struct ChosenClassifier {
  Classifier classifier;
  ClassifierParameters parameters;
};

struct Scores {
  std::vector<double> of_rows;
  double seconds = 0;  // the first of some that share work pays for it
};

double steady_seconds();

// Anomaly scores of test rows, higher = more anomalous, from features of the inliers' train rows,
// by each of the classifiers, in their order. `train` is n x d and `test` m x d, float32 on one
// device; an Error names a row that is not finite. Formulas: deep_representation_one_class
// train.py:522-582 at a36feaa. x^ is x / |x|, and 0 for a row of zeros, whose cosines are 0.
//   nearest        1 - the k-th largest cos(y, x_i); k = 1 is the released one (train.py:526-529)
//   kde            -(1/gamma) log sum_i exp(2 gamma cos(y, x_i))             (train.py:561-574)
//   gde            -log N(y^; mean, covariance + 1e-6 I), covariance over n  (train.py:575-582)
//   oc_svm_rbf     -sum_i alpha_i k(x^_i, y^), RBF on normalised rows        (train.py:552-560)
//   oc_svm_linear  -sum_i alpha_i <x_i, y>, rows not normalised              (train.py:547-551)
// Throws Error for more neighbours than train rows, and std::logic_error for a rotation score,
// which reads no features.
//
// All classifiers are fitted first, then all score some test rows after the others, whose distances
// to the train rows are made once. Same input, classifiers, device and one thread: the same bits.
// Beside its input it holds two arrays of the train rows' size, those distances (below 1 GB on a
// GPU for n up to 20,000), and while it fits an SVM an n x n matrix of float32, on the device and
// for the solver on the CPU; for gde what gaussian.h says.
//
// `on_part` hears of each part of the work, a fit or some rows, and may throw to stop.
std::vector<Scores> one_class_scores(
    const torch::Tensor& train, const torch::Tensor& test,
    const std::vector<ChosenClassifier>& classifiers, const std::function<void()>& on_part = [] {},
    const std::function<double()>& clock = steady_seconds);

// scale / (d * population variance over all n*d entries of the L2-normalised train rows), which is
// `scale` times scikit-learn's "scale" (train.py:557, 564); like there `scale` itself where the
// entries are all equal, to the precision of float32.
double kernel_gamma(const torch::Tensor& unit_train, double scale);

// Rotation scores from log-probabilities, m x 4 x 4 (copy, predicted rotation); upright reads the
// first copy only, and takes m x 4 too.
// upright: 1 - p(0 | y) (train.py:531-532); rotation: the order of 1 - prod_k p(k | rot_k y), as
// -sum_k log p(k | rot_k y), which has no ties by rounding at 1 (train.py:533-534, 604-612).
std::vector<double> rotation_upright_scores(const torch::Tensor& log_probabilities);
std::vector<double> rotation_scores(const torch::Tensor& log_probabilities);

}  // namespace occam
