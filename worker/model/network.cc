#include "worker/model/network.h"

#include <torch/types.h>
#include <xxhash.h>

#include <cmath>

#include "worker/distributed/across.h"
#include "worker/model/precision.h"

#ifdef OCCAM_CUDA
#include <c10/cuda/CUDAStream.h>

#include "worker/cuda/fill.h"
#endif

namespace occam {

// Names every parameter while the layers are laid out, then makes the flat buffers.
class Network::Builder {
  struct Shape {
    std::string name;
    std::vector<std::int64_t> sizes;
    Filling filling;
    InitialValues initial() const {
      const std::uint64_t hash = XXH3_64bits(name.data(), name.size());
      return {filling,
              sizes[0],
              sizes.size() > 1 ? sizes[1] : 1,
              sizes.size() == 4 ? sizes[2] * sizes[3] : 1,
              {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)}};
    }
    // A view of `count` values of a flat buffer.
    torch::Tensor view_of(const torch::Tensor& values) const {
      if (sizes.size() != 4) return values.view(sizes);
      return values.view({sizes[0], sizes[2], sizes[3], sizes[1]}).permute({0, 3, 1, 2});
    }
  };

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

  void make_flat(Network& network, torch::Device device) const {
    std::int64_t total = 0;
    for (const Shape& shape : shapes_) total += shape.initial().count();
    network.flat_ = torch::empty({total}, network.type_).to(device);
    network.gradient_ = torch::zeros_like(network.flat_);
    std::int64_t at = 0;
    for (const Shape& shape : shapes_) {
      const InitialValues initial = shape.initial();
      torch::Tensor value = shape.view_of(network.flat_.narrow(0, at, initial.count())).detach();
      value.requires_grad_(true);
      value.mutable_grad() = shape.view_of(network.gradient_.narrow(0, at, initial.count()));
      network.parameters_.push_back({shape.name, value, initial});
      at += initial.count();
    }
  }

  // Means, then variances; norms get theirs in the order of their making.
  void make_statistics(Network& network, const std::vector<Norm*>& norms,
                       torch::Device device) const {
    std::int64_t total = 0;
    for (std::int64_t channels : channels_) total += channels;
    network.statistics_ = torch::empty({2 * total}, network.type_).to(device);
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

Network::Network(const Trial& trial, torch::Device device, torch::ScalarType type)
    : loss_(trial.loss), precision_(trial.precision), type_(type) {
  Builder builder;
  std::int64_t channels = 64;
  layers_.stem = builder.convolution("stem", 3, channels, 3, 1);
  layers_.stem_norm = builder.norm("stem.bn", channels);
  const std::array<int, 4> counts = trial.depth == 10   ? std::array{1, 1, 1, 1}
                                    : trial.depth == 18 ? std::array{2, 2, 2, 2}
                                                        : std::array{3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const auto out = static_cast<std::int64_t>(std::lround(64 * trial.width)) << stage;
    for (int i = 0; i < counts[stage]; ++i) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      layers_.blocks.push_back(builder.block(name, channels, out, stage > 0 && i == 0 ? 2 : 1));
      channels = out;
    }
  }
  // Under rotation the last of the head_layers is linear with a bias, and is `embed`.
  const std::int64_t normed =
      is_contrastive(trial) ? trial.head_layers : std::max<std::int64_t>(0, trial.head_layers - 1);
  for (std::int64_t i = 0; i < normed; ++i) {
    layers_.head.push_back(
        builder.dense("head." + std::to_string(i), channels, trial.head_width, false, true));
    channels = trial.head_width;
  }
  if (is_contrastive(trial)) {
    layers_.head.push_back(builder.dense("head.embed", channels, trial.embedding, false, false));
  } else {
    if (trial.head_layers > 0) {
      layers_.head.push_back(
          builder.dense("head.rotation_embed", channels, trial.head_width, true, false));
      channels = trial.head_width;
    }
    layers_.classifier = builder.dense("head.rotation", channels, 4, true, false);
  }
  builder.make_flat(*this, device);

  std::vector<Norm*> norms{&layers_.stem_norm};
  for (Block& block : layers_.blocks) {
    norms.insert(norms.end(), {&block.norm1, &block.norm2});
    if (block.has_shortcut) norms.push_back(&block.shortcut_norm);
  }
  for (Dense& layer : layers_.head)
    if (layer.has_norm) norms.push_back(&layer.norm);
  builder.make_statistics(*this, norms, device);
  draw(trial.seed);
}

void Network::draw(std::int64_t seed) {
  const std::int64_t half = statistics_.numel() / 2;
  statistics_.narrow(0, 0, half).fill_(0);
  statistics_.narrow(0, half, half).fill_(1);
  // In place where the network is float32.
  torch::Tensor drawn = flat_.to(torch::kFloat32);
  float* value = drawn.data_ptr<float>();
  for (const Parameter& parameter : parameters_) {
#ifdef OCCAM_CUDA
    if (device().is_cuda()) {
      cuda::fill(parameter.initial, seed, value, c10::cuda::getCurrentCUDAStream());
      value += parameter.initial.count();
      continue;
    }
#endif
    for (std::int64_t i = 0; i < parameter.initial.count(); ++i)
      *value++ = parameter.initial.at(parameter.initial.index_of(i), seed);
  }
  if (!drawn.is_same(flat_)) flat_.copy_(drawn);
}

torch::Tensor Network::convolve(const torch::Tensor& x, const Convolution& convolution) const {
  const torch::Tensor& weight = parameters_[convolution.weight].value;
  // oneDNN's weight gradient of a 1 x 1 convolution with a stride writes past its workspace when
  // the input has few channels and many pixels (github.com/uxlfoundation/oneDNN/issues/6035).
  // Without a stride, on the pixels that it reads, it does not.
  if (x.is_cpu() && weight.size(2) == 1 && convolution.stride > 1) {
    const torch::Tensor read =
        x.slice(2, 0, {}, convolution.stride).slice(3, 0, {}, convolution.stride);
    return at::conv2d(read.contiguous(at::MemoryFormat::ChannelsLast), weight);
  }
  return at::conv2d(x, weight, {}, convolution.stride, convolution.padding);
}

torch::Tensor Network::normalise(const torch::Tensor& x, const Norm& norm, const Mode& mode) const {
  constexpr double kMomentum = 0.1, kEpsilon = 1e-5;
  const torch::Tensor &gamma = parameters_[norm.gamma].value, &beta = parameters_[norm.beta].value;
  if (mode.training && mode.group && mode.group->size() > 1)
    return batch_norm_across(x, gamma, beta, norm.mean, norm.variance, kMomentum, kEpsilon,
                             *mode.group);
  return at::batch_norm(x, gamma, beta, norm.mean, norm.variance, mode.training, kMomentum,
                        kEpsilon, at::globalContext().userEnabledCuDNN());
}

torch::Tensor Network::dense(const torch::Tensor& x, const Dense& layer, const Mode& mode) const {
  torch::Tensor out = at::linear(x, parameters_[layer.weight].value,
                                 layer.has_bias ? parameters_[layer.bias].value : torch::Tensor());
  if (layer.has_norm) out = normalise(out, layer.norm, mode).relu_();
  return out;
}

NetworkOutput Network::forward(const torch::Tensor& images, bool training, Group* group) {
  const Mode mode{training, group};
  const PrecisionScope scope(precision_);
  torch::Tensor x = images.to(type_).contiguous(at::MemoryFormat::ChannelsLast);
  x = normalise(convolve(x, layers_.stem), layers_.stem_norm, mode).relu_();
  for (const Block& block : layers_.blocks) {
    torch::Tensor out = normalise(convolve(x, block.conv1), block.norm1, mode).relu_();
    out = normalise(convolve(out, block.conv2), block.norm2, mode);
    const torch::Tensor shortcut =
        block.has_shortcut ? normalise(convolve(x, block.shortcut), block.shortcut_norm, mode) : x;
    x = out.add_(shortcut).relu_();
  }
  NetworkOutput output;
  output.pool = x.mean({2, 3}).to(type_);
  x = output.pool;
  for (const Dense& layer : layers_.head) x = dense(x, layer, mode);
  if (loss_ != Loss::rotation || !layers_.head.empty()) output.embed = x.to(type_);
  if (loss_ == Loss::rotation) output.logits = dense(x, layers_.classifier, mode).to(type_);
  return output;
}

}  // namespace occam
