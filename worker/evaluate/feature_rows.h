#pragma once

#include <torch/types.h>

#include <optional>
#include <string>

#include "worker/evaluate/chunks.h"

namespace occam {

// Rows of features, and beside them what classifiers read of rows brought to length 1, which stand
// around a point: differences of rows are those of the unit rows themselves, but those of nearly
// equal rows no longer drown in rounding. All float32 on the device of the rows.
struct FeatureRows {
  // Without a point around their own mean.
  explicit FeatureRows(const torch::Tensor& rows,
                       const std::optional<torch::Tensor>& around = std::nullopt);

  std::int64_t count() const { return given.size(0); }
  std::int64_t features() const { return given.size(1); }
  torch::Device device() const { return given.device(); }

  torch::Tensor given;           // x
  torch::Tensor norm;            // |x|
  torch::Tensor unit;            // x^ = x / |x|, and 0 for a row of zeros
  torch::Tensor square;          // |x^|^2: 1, or 0 for a row of zeros
  torch::Tensor centre;          // the point, 1 x features
  torch::Tensor centred;         // x^ - centre
  torch::Tensor centred_square;  // |x^ - centre|^2
};

// Throws Error, with the first such row of `which`, for one that is not finite.
void check_finite(const torch::Tensor& rows, const std::string& which);

// |x^ - y^|^2 of some rows x^ of one and y^ of the other, which stand around the same point.
void squared_distances(torch::Tensor tile, const FeatureRows& from, const Chunk& rows,
                       const FeatureRows& to, const Chunk& columns);

}  // namespace occam
