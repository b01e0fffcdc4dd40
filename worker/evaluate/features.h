#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "experiments/disk.h"
#include "experiments/evaluation.h"
#include "worker/data/images.h"
#include "worker/evaluate/extract.h"
#include "worker/model/network.h"

namespace occam {

// What classifiers see of the rows of one split; tensors that nobody asked for are undefined.
struct HeldOutFeatures {
  ExtractedFeatures network;
  torch::Tensor pixels;
  std::vector<std::uint8_t> is_outlier;  // of each row
  std::vector<std::int64_t> rows;        // as HeldOut's
};

// What the classifiers of a trial see: the inliers that they are fitted on, and the rows to score.
struct TrialFeatures {
  ExtractedFeatures train;
  torch::Tensor train_pixels;
  HeldOutFeatures test, validation;

  const HeldOutFeatures& of(Split split) const { return split == Split::test ? test : validation; }
  HeldOutFeatures& of(Split split) { return split == Split::test ? test : validation; }
};

// The train rows that the classifiers are fitted on: all, or kMostFitRows drawn by the seed.
torch::Tensor fit_images(const torch::Tensor& train, std::int64_t seed);

// What the requests need of a trained network, on its device: train rows always (whether a training
// collapsed shows there), test rows as far as the largest test_limit. `on_images` hears how many
// images are done in all, and may throw to stop.
TrialFeatures extract_all(Network& network, const OneClassData& data, std::int64_t seed,
                          const std::vector<EvaluationRequest>& requests,
                          const std::function<void(std::int64_t)>& on_images);

// Adds the pixels of the same rows where a request reads them.
void add_pixels(TrialFeatures& features, const OneClassData& data, std::int64_t seed,
                const std::vector<EvaluationRequest>& requests, torch::Device device);

}  // namespace occam
