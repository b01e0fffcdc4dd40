#pragma once

#include <torch/types.h>

#include <vector>

#include "experiments/evaluation.h"
#include "worker/evaluate/chunks.h"

namespace occam {

// Anomaly scores of test rows, higher = more anomalous, from features of the inliers' train rows.
// `train` is n x d and `test` m x d, float32 on one device; an Error names a row that is not
// finite. Formulas: deep_representation_one_class train.py:522-582 at a36feaa. x^ is x / |x|, and 0
// for a row of zeros, whose cosines are 0. Same input, device and one thread: the same bits. Beside
// its input it holds three arrays of their size and one m x n matrix of float32; oc_svm_rbf and
// oc_svm_linear add an n x n matrix (on the device and for the solver on the CPU) while they run,
// gde what gaussian.h says; and room for some rows of these at a time, below 1 GB on a GPU.
class OneClassScorer {
 public:
  OneClassScorer(const torch::Tensor& train, const torch::Tensor& test);

  // 1 - the k-th largest cos(y, x_i); k = 1 is the released one (train.py:526-529). Throws Error
  // for more neighbours than train rows.
  std::vector<double> nearest(std::int64_t k = 1);
  // -(1/gamma) log sum_i exp(2 gamma cos(y, x_i))             (train.py:561-574)
  std::vector<double> kde(double gamma_scale);
  // -log N(y^; mean, covariance + 1e-6 I), covariance over n  (train.py:575-582)
  std::vector<double> gde();
  // -sum_i alpha_i k(x^_i, y^), RBF on normalised rows        (train.py:552-560)
  std::vector<double> oc_svm_rbf(double nu, double gamma_scale);
  // -sum_i alpha_i <x_i, y>, rows not normalised              (train.py:547-551)
  std::vector<double> oc_svm_linear(double nu);

  // One of the above, by name; not the rotation scores, which read no features.
  std::vector<double> score(Classifier classifier, const ClassifierParameters& parameters);

 private:
  // Rows of length 1 as seen from the mean of the unit train rows. Differences of rows are those of
  // the unit rows themselves, but those of nearly equal rows no longer drown in rounding.
  struct UnitRows {
    torch::Tensor rows;            // x^
    torch::Tensor centred;         // x^ - mean
    torch::Tensor centred_square;  // |x^ - mean|^2
    torch::Tensor square;          // |x^|^2: 1, or 0 for a row of zeros
  };
  static UnitRows unit_rows(const torch::Tensor& rows);
  static void centre(UnitRows& unit, const torch::Tensor& mean);
  // |x^ - y^|^2 for some rows x^ of one and y^ of the other.
  static void squared_distances(torch::Tensor tile, const UnitRows& from, const Chunk& rows,
                                const UnitRows& to, const Chunk& columns);
  // What exp(-gamma |x^ - y^|^2) is taken in: float32 holds it near exactly, but where it is nearly
  // the same for all rows, as on collapsed features, the little by which they differ is lost in it.
  torch::ScalarType exponentials(double gamma) const;
  const torch::Tensor& test_to_train();  // |y^ - x^_i|^2, made once

  torch::Tensor train_, test_;
  UnitRows unit_train_, unit_test_;
  torch::Tensor further_than_by_distance_;  // 1 - |x^_i|^2, what 2 - 2 cos(y, x_i) is beside it
  torch::Tensor test_to_train_;
};

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
