#pragma once

#include <torch/types.h>

#include <optional>

#include "worker/evaluate/feature_rows.h"
#include "worker/evaluate/one_class_svm.h"

namespace occam {

// Kernels of the train rows with each other, all made of the distances of the unit rows, in one
// n x n matrix of float32 on their device: what is large costs as much to touch for the first time
// as to compute. A kernel is to be used before the next one is asked for.
class KernelMatrix {
 public:
  explicit KernelMatrix(const FeatureRows& train) : train_(train) {}

  Kernel linear();           // <x_i, x_j>; cheap beside the distances, which it leaves as they are
  Kernel rbf(double gamma);  // exp(-gamma |x^_i - x^_j|^2), in the distances' place

 private:
  void make_distances();

  const FeatureRows& train_;
  torch::Tensor matrix_;
  bool has_distances_ = false;
  std::optional<double> gamma_;  // of the RBF that the matrix holds
};

}  // namespace occam
