#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "experiments/trial.h"
#include "worker/model/initial_values.h"

namespace occam {

class Group;

// What the network says of a batch, float32.
struct NetworkOutput {
  torch::Tensor pool;    // f(x): global average of the trunk, 512 x width channels
  torch::Tensor embed;   // contrastive: the head's output; rotation: the head's last, linear layer
  torch::Tensor logits;  // rotation: four; contrastive: undefined
};

// The released network (model/resnet.py:33-105, resnet_util.py:95-272): post-activation ResNet of
// basic blocks, 3x3 stem of 64 channels without max-pool, batch norm with momentum 0.9 and eps
// 1e-5, an MLP head of head_layers x [dense without bias, batch norm, ReLU]. Weights are drawn by
// the trial's seed and the parameter's name, so trials of one seed share what they have in common.
//
// All parameters lie in one flat buffer, and so do gradients and running statistics: the update is
// a few operations on flat(), and a checkpoint is a copy. Convolutions' weights lie channels-last.
// Not copyable; one thread at a time.
class Network {
 public:
  // Drawn by the trial's seed.
  Network(const Trial& trial, torch::Device device);
  Network(const Network&) = delete;

  // Parameters and running statistics as they are at the start of a training with this seed, in
  // place.
  void draw(std::int64_t seed);

  // images: float32, n x 3 x side x side on the network's device. In training, batch statistics of
  // all n images are used and the running ones updated; gradients are recorded as torch's mode
  // says. With a group the batch statistics are those of all members' images.
  NetworkOutput forward(const torch::Tensor& images, bool training, Group* group = nullptr);

  torch::Tensor flat() { return flat_; }              // all parameters
  torch::Tensor gradient() { return gradient_; }      // of flat(); backward adds to it
  torch::Tensor statistics() { return statistics_; }  // running means and variances

  struct Parameter {
    std::string name;  // "layer1.0.conv1"
    torch::Tensor value;
    InitialValues initial;
  };
  const std::vector<Parameter>& parameters() const { return parameters_; }
  torch::Device device() const { return flat_.device(); }

  // The layers, for whoever computes with them in another way; indices are those of parameters().
  struct Norm {
    std::size_t gamma = 0, beta = 0;
    torch::Tensor mean, variance;  // running
  };
  struct Convolution {
    std::size_t weight;
    int stride, padding;
  };
  struct Block {
    Convolution conv1, conv2, shortcut;
    Norm norm1, norm2, shortcut_norm;
    bool has_shortcut;
  };
  struct Dense {
    std::size_t weight = 0, bias = 0;
    bool has_bias = false, has_norm = false;  // a norm is followed by ReLU
    Norm norm{};
  };
  struct Layers {
    Convolution stem;
    Norm stem_norm;
    std::vector<Block> blocks;
    std::vector<Dense> head;  // ends in `embed`
    Dense classifier;         // rotation alone
  };
  const Layers& layers() const { return layers_; }

 private:
  class Builder;

  torch::Tensor convolve(const torch::Tensor& x, const Convolution& convolution) const;
  // How a pass normalises.
  struct Mode {
    bool training;
    Group* group;
  };
  torch::Tensor normalise(const torch::Tensor& x, const Norm& norm, const Mode& mode) const;
  torch::Tensor dense(const torch::Tensor& x, const Dense& layer, const Mode& mode) const;

  Loss loss_;
  Precision precision_;
  torch::Tensor flat_, gradient_, statistics_;
  std::vector<Parameter> parameters_;
  Layers layers_;
};

}  // namespace occam
