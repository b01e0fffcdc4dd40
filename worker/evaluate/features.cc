#include "worker/evaluate/features.h"

#include <torch/types.h>

#include <algorithm>

#include "worker/data/order.h"

namespace occam {
namespace {

bool any(const std::vector<EvaluationRequest>& requests, Split split, auto... wanted) {
  return std::any_of(requests.begin(), requests.end(), [&](const EvaluationRequest& request) {
    return request.split == split && ((request.features == wanted) || ...);
  });
}

// The most rows that a request of the split scores.
std::int64_t rows_wanted(const std::vector<EvaluationRequest>& requests, Split split,
                         std::int64_t rows) {
  std::int64_t most = 0;
  for (const EvaluationRequest& request : requests)
    if (request.split == split) most = std::max(most, rows_scored(request, rows));
  return most;
}

}  // namespace

torch::Tensor fit_images(const torch::Tensor& train, std::int64_t seed) {
  if (train.size(0) <= kMostFitRows) return train;
  std::vector<std::int64_t> rows = permutation(train.size(0), seed, Purpose::fit_subset);
  rows.resize(kMostFitRows);
  std::sort(rows.begin(), rows.end());
  return train.index_select(0, torch::tensor(rows, torch::kInt64));
}

TrialFeatures extract_all(Network& network, const OneClassData& data, std::int64_t seed,
                          const std::vector<EvaluationRequest>& requests,
                          const std::function<void(std::int64_t)>& on_images) {
  TrialFeatures features;
  std::int64_t before = 0;
  const auto run = [&](const torch::Tensor& images, bool with_rotations) {
    ExtractedFeatures found = extract(network, images, with_rotations,
                                      [&](std::int64_t done) { on_images(before + done); });
    before += images.size(0);
    return found;
  };
  features.train = run(fit_images(data.train, seed), false);
  for (const Split split : {Split::test, Split::validation}) {
    const HeldOut& from = split == Split::test ? data.test : data.validation;
    HeldOutFeatures& into = features.of(split);
    const std::int64_t rows =
        rows_wanted(requests, split, static_cast<std::int64_t>(from.rows.size()));
    into.is_outlier.assign(from.is_outlier.begin(), from.is_outlier.begin() + rows);
    into.rows.assign(from.rows.begin(), from.rows.begin() + rows);
    if (any(requests, split, Features::pool, Features::embed, Features::logit))
      into.network = run(from.images.narrow(0, 0, rows), any(requests, split, Features::logit));
  }
  add_pixels(features, data, seed, requests, network.device());
  return features;
}

void add_pixels(TrialFeatures& features, const OneClassData& data, std::int64_t seed,
                const std::vector<EvaluationRequest>& requests, torch::Device device) {
  for (const Split split : {Split::test, Split::validation}) {
    if (!any(requests, split, Features::pixels)) continue;
    const HeldOut& from = split == Split::test ? data.test : data.validation;
    HeldOutFeatures& into = features.of(split);
    const auto rows = static_cast<std::int64_t>(into.rows.size());
    into.pixels = pixel_features(from.images.narrow(0, 0, rows)).to(device);
    if (!features.train_pixels.defined())
      features.train_pixels = pixel_features(fit_images(data.train, seed)).to(device);
  }
}

}  // namespace occam
