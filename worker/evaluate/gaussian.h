#pragma once

#include <torch/types.h>

namespace occam {

// -log N(y; mean, covariance + 1e-6 I) of each row y of `test`, in double on its device, with mean
// and covariance (over n) of the rows of `train`; both float32. Rows near 0 lose the fewest digits.
// Where there are at most half as many train rows as features it works with an n x n matrix of
// double, else with a d x d one. Throws Error if the covariance is not positive definite.
torch::Tensor gaussian_surprise(const torch::Tensor& train, const torch::Tensor& test);

}  // namespace occam
