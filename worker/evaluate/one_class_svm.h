#pragma once

#include <torch/types.h>

#include <vector>

namespace occam {

// Solves libsvm's one-class dual (Schölkopf et al. 2001; LIBSVM, Chang and Lin 2011, section 2.4):
//   min 1/2 a'Ka  with  0 <= a_i <= 1,  sum a_i = nu n,
// on a precomputed kernel matrix (n x n float32, contiguous, CPU) by SMO with second-order working
// sets (Fan, Chen and Lin 2005), to the violation `tolerance` (libsvm's default, 1e-3).
// Returns a. nu in (0, 1].
std::vector<double> solve_one_class_svm(const torch::Tensor& kernel, double nu,
                                        double tolerance = 1e-3);

}  // namespace occam
