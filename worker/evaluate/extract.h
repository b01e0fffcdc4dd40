#pragma once

#include <torch/types.h>

#include <functional>

#include "worker/model/network.h"

namespace occam {

// What a network makes of n images, float32 on its device, batch norm in inference mode.
struct ExtractedFeatures {
  torch::Tensor pool;   // n x d
  torch::Tensor embed;  // n x d; undefined for a network without a head
  torch::Tensor logit;  // n x 4 x 4 log-probabilities [image, turned by, predicted]; on request
};

// `images` are bytes, n x channels x side x side. `on_images` hears how many images are done, and
// may throw to stop.
ExtractedFeatures extract(Network& network, const torch::Tensor& images, bool with_rotations,
                          const std::function<void(std::int64_t)>& on_images);

// No network: the bytes / 255, one row an image.
torch::Tensor pixel_features(const torch::Tensor& images);

}  // namespace occam
