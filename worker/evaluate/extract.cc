#include "worker/evaluate/extract.h"

#include <torch/types.h>

#include "worker/data/images.h"

namespace occam {
namespace {

// What a CPU's cache holds, and what fills a GPU.
std::int64_t batch_rows(torch::Device device) { return device.is_cpu() ? 250 : 2000; }

torch::Tensor log_probabilities(const NetworkOutput& output) {
  return at::log_softmax(output.logits, 1);
}

}  // namespace

ExtractedFeatures extract(Network& network, const torch::Tensor& images, bool with_rotations,
                          const std::function<void(std::int64_t)>& on_images) {
  const at::NoGradGuard no_gradient;
  std::vector<torch::Tensor> pools, embeds, logits;
  const std::int64_t most = batch_rows(network.device());
  for (std::int64_t first = 0; first < images.size(0); first += most) {
    const std::int64_t count = std::min(most, images.size(0) - first);
    const torch::Tensor batch = network_input(images.narrow(0, first, count).to(network.device()));
    const NetworkOutput upright = network.forward(batch, false);
    pools.push_back(upright.pool);
    if (upright.embed.defined()) embeds.push_back(upright.embed);
    if (with_rotations) {
      std::vector<torch::Tensor> turned{log_probabilities(upright)};
      for (int turns = 1; turns < 4; ++turns)
        turned.push_back(
            log_probabilities(network.forward(at::rot90(batch, turns, {2, 3}), false)));
      logits.push_back(at::stack(turned, 1));
    }
    on_images(first + count);
  }
  const auto whole = [](const std::vector<torch::Tensor>& parts) {
    return parts.empty() ? torch::Tensor() : at::cat(parts);
  };
  return {whole(pools), whole(embeds), whole(logits)};
}

torch::Tensor pixel_features(const torch::Tensor& images) {
  return images.to(torch::kFloat32).div_(255).flatten(1);
}

}  // namespace occam
