#include "worker/model/network.h"

#include <torch/types.h>
#include <xxhash.h>

#include <cmath>
#include <numbers>

#include "worker/model/precision.h"
#include "worker/random.h"

namespace occam {
namespace {

enum class Filling { zeros, ones, variance_scaling, glorot_uniform };

struct Shape {
  std::string name;
  std::vector<std::int64_t> sizes;
  Filling filling;
  std::int64_t elements() const {
    std::int64_t count = 1;
    for (std::int64_t size : sizes) count *= size;
    return count;
  }
};

// A standard normal variable within two deviations: Box-Muller, drawn again where it falls outside.
double truncated_normal(const Draws& draws) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    const double u = 1.0 - draws.uniform(2 * attempt);  // (0, 1]
    const double v = draws.uniform(2 * attempt + 1);
    const double z = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    if (std::abs(z) <= 2) return z;
  }
}

// Keras: VarianceScaling(2, fan_out, truncated normal) has its deviation corrected for the
// truncation by 0.87962566103423978; Glorot uniform has the limit sqrt(6 / (fan_in + fan_out)).
void fill(const Shape& shape, std::int64_t seed, float* values) {
  const std::int64_t count = shape.elements();
  const std::int64_t receptive = shape.sizes.size() == 4 ? shape.sizes[2] * shape.sizes[3] : 1;
  const auto fan_out = static_cast<double>(shape.sizes[0] * receptive);
  const auto fan_in = static_cast<double>(shape.sizes.size() > 1 ? shape.sizes[1] * receptive : 1);
  const double deviation = std::sqrt(2 / fan_out) / 0.87962566103423978;
  const double limit = std::sqrt(6 / (fan_in + fan_out));
  const std::uint64_t name = XXH3_64bits(shape.name.data(), shape.name.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const Draws draws(seed, Purpose::initialisation, static_cast<std::uint32_t>(i),
                      static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(name >> 32));
    switch (shape.filling) {
      case Filling::zeros:
        values[i] = 0;
        break;
      case Filling::ones:
        values[i] = 1;
        break;
      case Filling::variance_scaling:
        values[i] = static_cast<float>(deviation * truncated_normal(draws));
        break;
      case Filling::glorot_uniform:
        values[i] = static_cast<float>(limit * (2 * double{draws.uniform(0)} - 1));
        break;
    }
  }
}

}  // namespace

// Names every parameter while the layers are laid out, then makes the flat buffers.
class Network::Builder {
 public:
  std::size_t parameter(const std::string& name, std::vector<std::int64_t> sizes, Filling filling) {
    shapes_.push_back({name, std::move(sizes), filling});
    return shapes_.size() - 1;
  }
  Convolution convolution(const std::string& name, std::int64_t in, std::int64_t out, int kernel,
                          int stride) {
    return {parameter(name, {out, in, kernel, kernel}, Filling::variance_scaling), stride,
            kernel / 2};
  }
  Norm norm(const std::string& name, std::int64_t channels) {
    const std::size_t gamma = parameter(name + ".gamma", {channels}, Filling::ones);
    const std::size_t beta = parameter(name + ".beta", {channels}, Filling::zeros);
    channels_.push_back(channels);
    return {gamma, beta, {}, {}};
  }
  Block block(const std::string& name, std::int64_t in, std::int64_t out, int stride) {
    Block made{};
    made.conv1 = convolution(name + ".conv1", in, out, 3, stride);
    made.norm1 = norm(name + ".bn1", out);
    made.conv2 = convolution(name + ".conv2", out, out, 3, 1);
    made.norm2 = norm(name + ".bn2", out);
    made.has_shortcut = stride != 1 || in != out;
    if (made.has_shortcut) {
      made.shortcut = convolution(name + ".shortcut", in, out, 1, stride);
      made.shortcut_norm = norm(name + ".shortcut_bn", out);
    }
    return made;
  }
  Dense dense(const std::string& name, std::int64_t in, std::int64_t out, bool has_bias,
              bool has_norm) {
    Dense made{};
    made.weight = parameter(name + ".weight", {out, in}, Filling::glorot_uniform);
    made.has_bias = has_bias;
    if (has_bias) made.bias = parameter(name + ".bias", {out}, Filling::zeros);
    made.has_norm = has_norm;
    if (has_norm) made.norm = norm(name + ".bn", out);
    return made;
  }

  void fill_flat(Network& network, std::int64_t seed, torch::Device device) const {
    std::int64_t total = 0;
    for (const Shape& shape : shapes_) total += shape.elements();
    const torch::Tensor drawn = torch::empty({total}, torch::kFloat32);
    float* values = drawn.data_ptr<float>();
    for (const Shape& shape : shapes_) {
      fill(shape, seed, values);
      values += shape.elements();
    }
    network.flat_ = drawn.to(device);
    network.gradient_ = torch::zeros_like(network.flat_);
    std::int64_t at = 0;
    for (const Shape& shape : shapes_) {
      const std::int64_t count = shape.elements();
      torch::Tensor value = network.flat_.narrow(0, at, count).view(shape.sizes).detach();
      value.requires_grad_(true);
      value.mutable_grad() = network.gradient_.narrow(0, at, count).view(shape.sizes);
      network.parameters_.push_back({shape.name, value});
      at += count;
    }
  }

  // Running means start at 0 and variances at 1; norms get theirs in the order of their making.
  void fill_statistics(Network& network, const std::vector<Norm*>& norms,
                       torch::Device device) const {
    std::int64_t total = 0;
    for (std::int64_t channels : channels_) total += channels;
    network.statistics_ = torch::zeros({2 * total}, torch::kFloat32).to(device);
    network.statistics_.narrow(0, total, total).fill_(1);
    std::int64_t at = 0;
    for (std::size_t i = 0; i < norms.size(); ++i) {
      norms[i]->mean = network.statistics_.narrow(0, at, channels_[i]);
      norms[i]->variance = network.statistics_.narrow(0, total + at, channels_[i]);
      at += channels_[i];
    }
  }

 private:
  std::vector<Shape> shapes_;
  std::vector<std::int64_t> channels_;
};

Network::Network(const Trial& trial, torch::Device device)
    : loss_(trial.loss), precision_(trial.precision) {
  Builder builder;
  std::int64_t channels = 64;
  stem_ = builder.convolution("stem", 3, channels, 3, 1);
  stem_norm_ = builder.norm("stem.bn", channels);
  const std::array<int, 4> counts = trial.depth == 10   ? std::array{1, 1, 1, 1}
                                    : trial.depth == 18 ? std::array{2, 2, 2, 2}
                                                        : std::array{3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const auto out = static_cast<std::int64_t>(std::lround(64 * trial.width)) << stage;
    for (int i = 0; i < counts[stage]; ++i) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      blocks_.push_back(builder.block(name, channels, out, stage > 0 && i == 0 ? 2 : 1));
      channels = out;
    }
  }
  // Under rotation the last of the head_layers is linear with a bias, and is `embed`.
  const std::int64_t normed =
      is_contrastive(trial) ? trial.head_layers : std::max<std::int64_t>(0, trial.head_layers - 1);
  for (std::int64_t i = 0; i < normed; ++i) {
    head_.push_back(
        builder.dense("head." + std::to_string(i), channels, trial.head_width, false, true));
    channels = trial.head_width;
  }
  if (is_contrastive(trial)) {
    head_.push_back(builder.dense("head.embed", channels, trial.embedding, false, false));
  } else {
    if (trial.head_layers > 0) {
      head_.push_back(
          builder.dense("head.rotation_embed", channels, trial.head_width, true, false));
      channels = trial.head_width;
    }
    classifier_ = builder.dense("head.rotation", channels, 4, true, false);
  }
  builder.fill_flat(*this, trial.seed, device);

  std::vector<Norm*> norms{&stem_norm_};
  for (Block& block : blocks_) {
    norms.insert(norms.end(), {&block.norm1, &block.norm2});
    if (block.has_shortcut) norms.push_back(&block.shortcut_norm);
  }
  for (Dense& layer : head_)
    if (layer.has_norm) norms.push_back(&layer.norm);
  builder.fill_statistics(*this, norms, device);
}

torch::Tensor Network::convolve(const torch::Tensor& x, const Convolution& convolution) const {
  return at::conv2d(x, parameters_[convolution.weight].value, {}, convolution.stride,
                    convolution.padding);
}

torch::Tensor Network::normalise(const torch::Tensor& x, const Norm& norm, bool training) const {
  return at::batch_norm(x, parameters_[norm.gamma].value, parameters_[norm.beta].value, norm.mean,
                        norm.variance, training, 0.1, 1e-5, at::globalContext().userEnabledCuDNN());
}

torch::Tensor Network::dense(const torch::Tensor& x, const Dense& layer, bool training) const {
  torch::Tensor out = at::linear(x, parameters_[layer.weight].value,
                                 layer.has_bias ? parameters_[layer.bias].value : torch::Tensor());
  if (layer.has_norm) out = normalise(out, layer.norm, training).relu_();
  return out;
}

NetworkOutput Network::forward(const torch::Tensor& images, bool training) {
  const PrecisionScope scope(precision_);
  torch::Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  x = normalise(convolve(x, stem_), stem_norm_, training).relu_();
  for (const Block& block : blocks_) {
    torch::Tensor out = normalise(convolve(x, block.conv1), block.norm1, training).relu_();
    out = normalise(convolve(out, block.conv2), block.norm2, training);
    const torch::Tensor shortcut =
        block.has_shortcut ? normalise(convolve(x, block.shortcut), block.shortcut_norm, training)
                           : x;
    x = out.add_(shortcut).relu_();
  }
  NetworkOutput output;
  output.pool = x.mean({2, 3}).to(torch::kFloat32);
  x = output.pool;
  for (const Dense& layer : head_) x = dense(x, layer, training);
  if (loss_ == Loss::contrastive || !head_.empty()) output.embed = x.to(torch::kFloat32);
  if (loss_ == Loss::rotation) output.logits = dense(x, classifier_, training).to(torch::kFloat32);
  return output;
}

}  // namespace occam
