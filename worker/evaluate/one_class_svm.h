#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace occam {

// A symmetric kernel of rows with each other.
struct Kernel {
  std::vector<float> diagonal;
  std::function<void(std::size_t i, std::span<float> row)> row;  // writes K_i0, K_i1, ...
};

// Solves libsvm's one-class dual (Schölkopf et al. 2001; LIBSVM, Chang and Lin 2011, section 2.4):
//   min 1/2 a'Ka  with  0 <= a_i <= 1,  sum a_i = nu n,
// by SMO with second-order working sets (Fan, Chen and Lin 2005), two rows of the kernel a step,
// until max { (Ka)_j : a_j > 0 } - min { (Ka)_i : a_i < 1 } < `tolerance`
// (libsvm's default, 1e-3). Returns a. Throws Error if nu is not in (0, 1], if the diagonal is not
// finite, or if the tolerance is out of reach.
std::vector<double> solve_one_class_svm(const Kernel& kernel, double nu, double tolerance = 1e-3);

}  // namespace occam
