#pragma once

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "experiments/trial.h"
#include "worker/data/augment_arithmetic.h"

namespace occam {

// The copies that distribution augmentation adds, in the order of the enlarged set: row r of the
// enlarged set is image r % n under transform r / n (data/cifar.py:29-93, 233-253).
std::vector<SquareTransform> distribution_transforms(DistributionAugmentation augmentation);

// The released jitter shuffles its four changes once a view when the graph is traced, so the order
// is one for the whole training (augment_ops.py:319-376); up to four views.
using JitterOrders = std::array<std::array<int, 4>, 4>;
JitterOrders jitter_orders(std::int64_t seed);

// Makes augmented views of a trial's train rows. A pure function of (trial's seed, epoch, row,
// view).
class Augmenter {
 public:
  // `images` are bytes, n x channels x side x side, contiguous, on the CPU.
  Augmenter(const Trial& trial, torch::Tensor images);

  std::int64_t rows() const { return rows_; }  // of the enlarged set

  // One view of some rows of the enlarged set: float32, rows x 3 x side x side, not clipped.
  // `turns` of 90 degrees counter-clockwise come after everything else (rotation prediction's
  // copies).
  torch::Tensor view(const std::int64_t* rows, std::int64_t count, std::int64_t epoch,
                     std::uint32_t view, int turns) const;

 private:
  void augment(std::int64_t row, std::int64_t epoch, std::uint32_t view, int turns,
               float* out) const;

  torch::Tensor images_;
  std::int64_t seed_, rows_, channels_;
  int side_;
  std::vector<AugmentationOperation> operations_;
  std::vector<SquareTransform> transforms_;
  JitterOrders jitter_orders_;
};

}  // namespace occam
