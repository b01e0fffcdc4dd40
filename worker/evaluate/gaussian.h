#pragma once

#include <torch/types.h>

namespace occam {

// The normal distribution of the rows of `train`: their mean, and their covariance (over n) + 1e-6
// I. Rows are float32, near 0 they lose the fewest digits; it works in double on their device.
// Where there are at most half as many rows as features it works with an n x n matrix, else with a
// d x d one. Throws Error if the covariance is not positive definite.
class Gaussian {
 public:
  explicit Gaussian(const torch::Tensor& train);

  torch::Tensor surprise(const torch::Tensor& rows) const;  // -log N(y) of each row y

 private:
  void fit_covariance();
  void fit_products();
  torch::Tensor by_covariance(const torch::Tensor& rows) const;
  torch::Tensor by_products(const torch::Tensor& rows) const;

  torch::Tensor train_, mean_;
  bool few_rows_;
  torch::Tensor factor_;  // Cholesky's, of the matrix
  double least_;          // the surprise of the mean
};

}  // namespace occam
