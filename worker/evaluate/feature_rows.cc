#include "worker/evaluate/feature_rows.h"

#include <ATen/ATen.h>

#include <cassert>
#include <limits>

#include "experiments/error.h"

namespace occam {
namespace {

torch::Tensor norms_of(const torch::Tensor& rows) {
  // In double, so that tiny and huge rows have a norm too.
  return at::linalg_vector_norm(rows, 2, {1}, true, torch::kDouble).to(torch::kFloat);
}

}  // namespace

FeatureRows::FeatureRows(const torch::Tensor& rows, const std::optional<torch::Tensor>& around)
    : given(rows), norm(norms_of(rows)) {
  assert(rows.dim() == 2 && rows.scalar_type() == torch::kFloat);
  // A row of zeros stays one; the smallest normal float keeps 1 / norm finite.
  constexpr float kTiny = std::numeric_limits<float>::min();
  unit = rows / norm.clamp_min(kTiny);
  square = norm.ge(kTiny).to(torch::kFloat);
  centre = around ? *around : unit.mean(at::IntArrayRef{0}, true, torch::kDouble).to(torch::kFloat);
  centred = unit - centre;
  centred_square = norms_of(centred).square();
}

void check_finite(const torch::Tensor& rows, const std::string& which) {
  const torch::Tensor bad = at::isfinite(norms_of(rows)).logical_not().flatten().nonzero();
  if (bad.size(0) > 0)
    throw Error("features of " + which + " row " + std::to_string(bad[0].item<std::int64_t>()) +
                " hold a NaN or an infinity, or are too large for float32");
}

void squared_distances(torch::Tensor tile, const FeatureRows& from, const Chunk& rows,
                       const FeatureRows& to, const Chunk& columns) {
  at::addmm_out(tile, columns.of(to.centred_square).t(), rows.of(from.centred),
                columns.of(to.centred).t(), /*beta=*/1, /*alpha=*/-2);
  tile.add_(rows.of(from.centred_square)).clamp_min_(0);
}

}  // namespace occam
