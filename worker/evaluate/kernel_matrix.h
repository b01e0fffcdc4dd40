#pragma once

#include <torch/types.h>

#include <optional>
#include <variant>

#include "worker/evaluate/feature_rows.h"

namespace occam {

// The kernel of all train rows with each other, one kernel after the other in the same n x n matrix
// of float32 on the device of the rows: for large n, memory that is touched for the first time
// costs as much as what is computed in it. Each call may overwrite what the one before it returned.
class KernelMatrix {
 public:
  explicit KernelMatrix(const FeatureRows& train) : train_(train) {}

  const torch::Tensor& linear();           // <x_i, x_j>
  const torch::Tensor& rbf(double gamma);  // exp(-gamma |x^_i - x^_j|^2)

 private:
  struct Linear {
    bool operator==(const Linear&) const = default;
  };
  using Kernel = std::variant<Linear, double>;  // or the RBF's gamma
  template <class Fill>
  const torch::Tensor& filled(const Kernel& kernel, Fill fill);

  const FeatureRows& train_;
  torch::Tensor matrix_;
  std::optional<Kernel> held_;
};

}  // namespace occam
