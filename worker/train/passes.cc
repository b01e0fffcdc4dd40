#ifdef OCCAM_CUDA
#include "worker/train/passes.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "worker/cuda/batch_norm.h"
#include "worker/cuda/convolution.h"
#include "worker/cuda/dense.h"
#include "worker/cuda/part.h"
#include "worker/cuda/pool.h"
#include "worker/cuda/update.h"
#include "worker/distributed/across.h"
#include "worker/train/members.h"
#include "worker/train/training_step.h"
#include "worker/train/written_out_loss.h"

namespace occam {
namespace {

using torch::Tensor;
constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

// A norm whose ReLU made a convolution's input of what came to it.
struct NormBefore {
  const Network::Norm* norm = nullptr;
  Tensor x = {};
};

// Forward and backward are written out, layer by layer, so that the norms are our kernels,
// gradients stay where they are made, and the update reads them there.
//
// In a group every member makes the views of its share of the batch and has the network's outputs
// of it, with norms of the whole batch. The outputs of that are gathered, and every member computes
// the whole loss. The gradients of all but the norms are added up.
class WrittenOutPasses final : public Passes {
 public:
  WrittenOutPasses(const Trial& trial, const cuda::AugmentPlan& plan, torch::Device device,
                   cuda::Stream stream, Group* group)
      : trial_(trial),
        plan_(plan),
        device_(device),
        stream_(stream),
        group_(group && group->size() > 1 ? group : nullptr),
        element_(trial.precision == Precision::bf16 ? cuda::Element::bfloat16
                                                    : cuda::Element::float32),
        type_(trial.precision == Precision::bf16 ? torch::kBFloat16 : torch::kFloat32),
        processors_(cuda::processors(stream_)),
        shared_bytes_(at::cuda::getDeviceProperties(device.index())->sharedMemPerBlockOptin),
        network_(std::make_shared<Network>(trial, device)) {
    const auto bytes = torch::dtype(torch::kUInt8).device(device_);
    const auto floats = torch::dtype(torch::kFloat32).device(device_);
    velocity_ = torch::zeros_like(network_->flat());
    const std::int64_t channels = network_->statistics().numel() / 2;
    norms_ = torch::zeros({channels * cuda::kNormSaved}, floats);
    norm_scratch_ = torch::zeros({cuda::norm_scratch_bytes(channels)}, bytes);
    input_ = torch::empty({plan_.views * plan_.batch, plan_.side, plan_.side, cuda::kInputChannels},
                          torch::dtype(type_).device(device_))
                 .permute({0, 3, 1, 2});
    make_copies(channels);
  }

  Rows forward_and_backward(const cuda::StepState* state) override {
    const Network::Layers& layers = network_->layers();
    gradients_.assign(weights_.size(), {});
    std::optional<Members::Step> step;
    if (members_) step.emplace(*members_);
    cuda::augment(plan_, state, input_.data_ptr(), element_, stream_);
    const Tensor stem = convolve(input_, layers.stem, layers.stem_norm);
    Tensor x = apply(stem, layers.stem_norm);
    std::vector<KeptBlock> blocks;
    for (const Network::Block& block : layers.blocks) {
      KeptBlock kept;
      kept.x = x;
      kept.c1 = convolve(x, block.conv1, block.norm1);
      kept.y1 = apply(kept.c1, block.norm1);
      kept.c2 = convolve(kept.y1, block.conv2, block.norm2);
      if (block.has_shortcut) {
        kept.shortcut = convolve(x, block.shortcut, block.shortcut_norm);
        kept.y = apply(kept.c2, block.norm2, kept.shortcut, saved(block.shortcut_norm));
      } else {
        kept.y = apply(kept.c2, block.norm2, x);
      }
      x = kept.y;
      blocks.push_back(std::move(kept));
    }

    const Tensor trunk = x;
    const cuda::PoolShape pooled{trunk.size(0), trunk.size(2) * trunk.size(3), trunk.size(1),
                                 element_};
    x = torch::empty({trunk.size(0), trunk.size(1)}, trunk.options());
    cuda::pool(pooled, trunk.data_ptr(), x.data_ptr(), stream_);
    std::vector<KeptDense> dense;
    for (const Network::Dense& layer : layers.head) x = forward(layer, x, dense);
    const bool has_logits = trial_.loss == Loss::rotation;
    if (has_logits) x = forward(layers.classifier, x, dense);

    if (group_) x = whole_batch(x, plan_.views, *group_);
    auto [losses, hits, gradient] = written_out_loss(trial_, x, stream_);
    if (group_) gradient = own_rows(gradient, plan_.views, *group_);
    BehindDense behind{gradient, {}};
    if (has_logits) {
      behind = backward(layers.classifier, behind, dense);
    }
    for (auto layer = layers.head.rbegin(); layer != layers.head.rend(); ++layer) {
      behind = backward(*layer, behind, dense);
    }
    if (members_) members_->send(gradients_);
    gradient = behind.gradient();
    Gradient flowing{torch::empty_like(trunk), {}};
    cuda::pool_backward(pooled, gradient.data_ptr(), flowing.a.data_ptr(), stream_);
    for (std::size_t i = blocks.size(); i-- > 0;) {
      flowing = backward(layers.blocks[i], blocks[i], flowing);
      blocks[i] = {};
      if (members_) members_->send(gradients_);
    }
    const cuda::NormGradient of_stem = flowing.through(NormMask::x);
    norm_sums(of_stem, stem, layers.stem_norm, nullptr, of_members(stem));
    norm_apply(of_stem, stem, layers.stem_norm, flowing.a);
    convolve_backward(flowing.a, input_, layers.stem, false);
    if (members_) members_->finish(gradients_);
    return {losses, hits};
  }

  void update(const cuda::StepState* state) override {
    update_->run(state, static_cast<float>(trial_.momentum),
                 static_cast<float>(trial_.weight_decay), stream_,
                 members_ ? members_->sent_gradients() : nullptr);
  }

  void keep_gradients_here() override {
    std::vector<const void*> places;
    for (const Tensor& gradient : gradients_) places.push_back(gradient.data_ptr());
    update_->read_from(places, stream_);
    gradients_.clear();
  }

  void begin(const Trial& trial, const std::optional<TrainingState>& from) override {
    set_state(*network_, velocity_, trial, from);
    update_->copy(stream_);
  }

  const std::shared_ptr<Network>& network() const override { return network_; }
  const Tensor& velocity() const override { return velocity_; }

 private:
  using Norm = Network::Norm;
  using Convolution = Network::Convolution;
  using NormMask = cuda::NormGradient::Mask;

  // A gradient as the backward pass leaves it: of a sum of two tensors, of which the second may be
  // missing, or of every other row and column alone.
  struct Gradient {
    Tensor a, b;
    cuda::NormGradient through(NormMask mask, const Tensor& y = {}) const {
      const auto place = [](const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; };
      const bool is_of_all = !b.defined() || b.size(2) == a.size(2);
      return {place(a), place(b), mask, place(y), is_of_all ? 0 : a.size(2)};
    }
  };

  // The network's copies of the weights, and what the update does with each parameter.
  void make_copies(std::int64_t channels) {
    const auto& parameters = network_->parameters();
    float* master = network_->flat().data_ptr<float>();
    float* velocity = velocity_.data_ptr<float>();
    std::vector<cuda::UpdateSegment> segments;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Tensor& value = parameters[i].value;
      cuda::UpdateSegment segment{nullptr,  element_,      master, velocity, nullptr,
                                  element_, value.numel(), 1,      1,        1};
      const bool is_stem = i == network_->layers().stem.weight;
      const bool is_norm = value.dim() == 1 && !is_bias(i);
      if (is_stem)
        segment.inner = 3, segment.padded = segment.gradient_padded = cuda::kInputChannels;
      if (is_norm) segment.gradient_element = cuda::Element::float32;
      // The norms have theirs of the whole batch.
      if (!is_norm) segment.of = cuda::GradientOf::all;
      if (is_norm) {
        weights_.push_back(value.detach());
      } else if (is_stem) {
        weights_.push_back(torch::zeros({value.size(0), 3, 3, cuda::kInputChannels},
                                        torch::dtype(type_).device(device_))
                               .permute({0, 3, 1, 2}));
        segment.copy = weights_.back().data_ptr();
      } else if (element_ == cuda::Element::float32) {
        weights_.push_back(value.detach());
      } else {
        weights_.push_back(torch::empty_like(value, value.options().dtype(type_)).detach());
        segment.copy = weights_.back().data_ptr();
      }
      segments.push_back(segment);
      master += value.numel();
      velocity += value.numel();
    }
    if (group_) members_.emplace(*group_, channels, segments, stream_);
    update_ = std::make_unique<cuda::Update>(std::move(segments), stream_);
    update_->copy(stream_);
  }

  bool is_bias(std::size_t parameter) const {
    const auto is_of = [&](const Network::Dense& layer) {
      return layer.has_bias && layer.bias == parameter;
    };
    const Network::Layers& layers = network_->layers();
    return std::any_of(layers.head.begin(), layers.head.end(), is_of) || is_of(layers.classifier);
  }

  struct KeptBlock {
    Tensor x, c1, y1, c2, shortcut, y;
  };
  struct KeptDense {
    Tensor x, z;
  };
  // What comes to a dense layer from behind: the gradient of its output is dz weight, not
  // multiplied yet, or, without a weight, dz.
  struct BehindDense {
    Tensor dz, weight;
    Tensor gradient() const { return weight.defined() ? at::mm(dz, weight) : dz; }
  };

  // A norm without the other members' rows that is one launch of ours.
  bool is_of_few(const Tensor& z) const { return !group_ && z.size(0) <= cuda::kNormFewRows; }
  // Of a layer whose product and norm are that.
  std::optional<cuda::DenseShape> own_shape(const Network::Dense& layer, const Tensor& x) const {
    const Tensor& weight = weights_[layer.weight];
    const cuda::DenseShape shape{x.size(0), weight.size(1), weight.size(0)};
    if (group_ || element_ != cuda::Element::bfloat16 || !layer.has_norm || layer.has_bias ||
        !cuda::is_dense(shape, shared_bytes_))
      return std::nullopt;
    return shape;
  }

  Tensor forward(const Network::Dense& layer, const Tensor& x, std::vector<KeptDense>& kept) {
    const Tensor& weight = weights_[layer.weight];
    if (const auto own = own_shape(layer, x)) {
      Tensor z = torch::empty({own->rows, own->outputs}, x.options()), y = torch::empty_like(z);
      cuda::dense_forward(*own, x.data_ptr(), weight.data_ptr(), parameters(layer.norm),
                          saved(layer.norm), z.data_ptr(), y.data_ptr(), stream_);
      kept.push_back({x, z});
      return y;
    }
    const Tensor z =
        layer.has_bias ? at::linear(x, weight, weights_[layer.bias]) : at::linear(x, weight);
    kept.push_back({x, z});
    if (!layer.has_norm) return z;
    if (!is_of_few(z)) {
      statistics(z, layer.norm, of_members(z));
      return apply(z, layer.norm);
    }
    Tensor y = torch::empty_like(z);
    cuda::norm_forward_few(shape(z), z.data_ptr(), parameters(layer.norm), saved(layer.norm),
                           y.data_ptr(), stream_);
    return y;
  }

  BehindDense backward(const Network::Dense& layer, const BehindDense& behind,
                       std::vector<KeptDense>& kept) {
    const KeptDense was = std::move(kept.back());
    kept.pop_back();
    const Tensor& weight = weights_[layer.weight];
    const auto own = own_shape(layer, was.x);
    if (own && behind.weight.defined() &&
        cuda::is_dense({own->rows, own->outputs, behind.dz.size(1)}, shared_bytes_)) {
      Tensor dz = torch::empty_like(was.z), of_weight = torch::empty_like(weight);
      cuda::dense_backward(
          *own, {behind.dz.data_ptr(), behind.weight.data_ptr(), behind.dz.size(1)},
          was.x.data_ptr(), was.z.data_ptr(), weights_[layer.norm.gamma].data_ptr<float>(),
          saved(layer.norm), dz.data_ptr(), of_weight.data_ptr(), gradient_place(layer.norm.gamma),
          gradient_place(layer.norm.beta), stream_);
      gradients_[layer.weight] = of_weight;
      return {dz, weight};
    }
    Tensor gradient = behind.gradient();
    if (layer.has_norm && is_of_few(was.z)) {
      cuda::norm_backward_few(shape(was.z), gradient.data_ptr(), was.z.data_ptr(),
                              gradients(layer.norm), gradient.data_ptr(), stream_);
    } else if (layer.has_norm) {
      const cuda::NormGradient of_norm = Gradient{gradient, {}}.through(NormMask::x);
      norm_sums(of_norm, was.z, layer.norm, nullptr, of_members(was.z));
      norm_apply(of_norm, was.z, layer.norm, gradient);
    }
    gradients_[layer.weight] = at::mm(gradient.t(), was.x);
    if (layer.has_bias) gradients_[layer.bias] = gradient.sum(0);
    return {gradient, weight};
  }

  Gradient backward(const Network::Block& block, const KeptBlock& kept, const Gradient& incoming) {
    // g, the masked sum of what comes in, takes the place of `a`.
    Tensor g = incoming.a;
    norm_sums(incoming.through(NormMask::y, kept.y), kept.c2, block.norm2, g.data_ptr(),
              of_members(g));
    const cuda::NormGradient plain = Gradient{g, {}}.through(NormMask::none);
    Tensor dc2 = torch::empty_like(kept.c2);
    norm_apply(plain, kept.c2, block.norm2, dc2);
    Tensor skipping = g;
    if (block.has_shortcut) {
      norm_sums(plain, kept.shortcut, block.shortcut_norm, nullptr, of_members(g));
      norm_apply(plain, kept.shortcut, block.shortcut_norm, g);
      skipping = shortcut_backward(g, kept.x, block.shortcut);
    }
    Tensor dy1 = convolve_backward(dc2, kept.y1, block.conv2, true, {&block.norm1, kept.c1});
    norm_apply(Gradient{dy1, {}}.through(NormMask::x), kept.c1, block.norm1, dy1);
    return {convolve_backward(dy1, kept.x, block.conv1, true), skipping};
  }

  // Where there are kernels of our own.
  std::optional<cuda::ConvolutionShape> own_shape(const Tensor& x,
                                                  const Convolution& convolution) const {
    const Tensor& weight = weights_[convolution.weight];
    const cuda::ConvolutionShape shape{x.size(0),
                                       x.size(2),
                                       x.size(1),
                                       weight.size(0),
                                       static_cast<int>(convolution.stride),
                                       processors_,
                                       static_cast<int>(weight.size(2))};
    constexpr int kHopper = 9;
    if (element_ != cuda::Element::bfloat16 || convolution.padding != shape.kernel / 2 ||
        !cuda::has_convolution(shape) || at::cuda::getCurrentDeviceProperties()->major != kHopper)
      return std::nullopt;
    return shape;
  }
  // With the statistics of the norm behind it.
  Tensor convolve(const Tensor& x, const Convolution& convolution, const Norm& norm) {
    const Tensor& weight = weights_[convolution.weight];
    const auto own = own_shape(x, convolution);
    if (!own) {
      const Tensor y = at::conv2d(x, weight, {}, convolution.stride, convolution.padding);
      statistics(y, norm, of_members(y));
      return y;
    }
    const std::int64_t outputs = own->outputs, side = own->side / own->stride;
    Tensor y = torch::empty({x.size(0), outputs, side, side}, x.options(), kChannelsLast);
    const Tensor parts = norm_parts(outputs);
    const cuda::NormMembers of = of_members(y);
    cuda::convolve(*own, x.data_ptr(), weight.data_ptr(), y.data_ptr(),
                   {parameters(norm), saved(norm), room_in(parts), of}, stream_);
    finish_statistics(y, norm, of);
    return y;
  }

  // The gradients of the weights and, if wanted, of x; then also what norm_backward_sums leaves of
  // a norm before.
  Tensor convolve_backward(const Tensor& gradient, const Tensor& x, const Convolution& convolution,
                           bool wants_input, const NormBefore& before = {}) {
    const auto own = own_shape(x, convolution);
    const bool has_own_weights = own && cuda::has_weight_gradient(*own);
    Tensor of_x =
        own && wants_input ? own_input_gradient(*own, gradient, x, convolution, before) : Tensor{};
    if (has_own_weights) {
      gradients_[convolution.weight] = own_weight_gradient(*own, gradient, x, convolution);
      return of_x;
    }
    const std::array<std::int64_t, 2> stride{convolution.stride, convolution.stride};
    const std::array<std::int64_t, 2> padding{convolution.padding, convolution.padding};
    auto [input, of_weight, of_bias] = at::convolution_backward(
        gradient, x, weights_[convolution.weight], c10::nullopt, stride, padding, {1, 1}, false,
        {0, 0}, 1, {wants_input && !own, true, false});
    gradients_[convolution.weight] = of_weight.contiguous(kChannelsLast);
    if (own || !wants_input) return of_x;
    of_x = input.contiguous(kChannelsLast);
    if (before.norm)
      norm_sums(Gradient{of_x, {}}.through(NormMask::x), before.x, *before.norm, nullptr,
                of_members(of_x));
    return of_x;
  }
  Tensor own_input_gradient(const cuda::ConvolutionShape& own, const Tensor& gradient,
                            const Tensor& x, const Convolution& convolution,
                            const NormBefore& before) {
    const std::int64_t side = own.kernel == 1 ? gradient.size(2) : x.size(2);
    Tensor of_x = torch::empty({x.size(0), x.size(1), side, side}, x.options(), kChannelsLast);
    cuda::NormBefore norm;
    Tensor parts;
    if (before.norm) {
      parts = norm_parts(x.size(1));
      norm = {before.x.data_ptr(), gradients(*before.norm), room_in(parts), of_members(x)};
    }
    cuda::convolve_backward_input(own, gradient.data_ptr(), weights_[convolution.weight].data_ptr(),
                                  of_x.data_ptr(), norm, stream_);
    if (before.norm) finish_backward(x, *before.norm, norm.members);
    return of_x;
  }
  Tensor own_weight_gradient(const cuda::ConvolutionShape& own, const Tensor& gradient,
                             const Tensor& x, const Convolution& convolution) {
    Tensor of_weight = torch::empty_like(weights_[convolution.weight]);
    const Tensor scratch = torch::empty({cuda::convolution_scratch_bytes(own)},
                                        torch::dtype(torch::kUInt8).device(device_));
    cuda::convolve_backward_weights(own, gradient.data_ptr(), x.data_ptr(), of_weight.data_ptr(),
                                    scratch.data_ptr(), stream_);
    return of_weight;
  }

  // Of the pixels that it reads alone, which cuDNN would write among zeros.
  Tensor shortcut_backward(const Tensor& gradient, const Tensor& x,
                           const Convolution& convolution) {
    if (own_shape(x, convolution) || convolution.stride != 2 || x.size(2) % 2 != 0)
      return convolve_backward(gradient, x, convolution, true);
    convolve_backward(gradient, x, convolution, false);
    const Tensor pixels = gradient.permute({0, 2, 3, 1});
    const Tensor of_x = at::mm(pixels.flatten(0, 2), weights_[convolution.weight].flatten(1));
    return of_x.view({x.size(0), gradient.size(2), gradient.size(3), x.size(1)})
        .permute({0, 3, 1, 2});
  }

  // --- batch norm --------------------------------------------------------------------------------

  cuda::NormShape shape(const Tensor& x) const {
    return {x.numel() / x.size(1), x.size(1), element_, processors_};
  }
  float* saved(const Norm& norm) const {
    const std::ptrdiff_t channel =
        norm.mean.data_ptr<float>() - network_->statistics().data_ptr<float>();
    return norms_.data_ptr<float>() + channel * cuda::kNormSaved;
  }
  cuda::NormParameters parameters(const Norm& norm) const {
    return {weights_[norm.gamma].data_ptr<float>(), weights_[norm.beta].data_ptr<float>(),
            norm.mean.data_ptr<float>(), norm.variance.data_ptr<float>()};
  }
  // How the sums of the next norm, of an x like this, become those of all members' rows.
  cuda::NormMembers of_members(const Tensor& x) {
    return members_ ? members_->next_norm(x.size(1)) : cuda::NormMembers{};
  }
  std::int64_t rows_of_all(const Tensor& x) const { return shape(x).rows * group_->size(); }

  void statistics(const Tensor& x, const Norm& norm, const cuda::NormMembers& of) {
    cuda::norm_statistics(shape(x), x.data_ptr(), parameters(norm), saved(norm),
                          norm_scratch_.data_ptr(), stream_, of);
    finish_statistics(x, norm, of);
  }
  void finish_statistics(const Tensor& x, const Norm& norm, const cuda::NormMembers& of) {
    if (!of.own_sums) return;
    members_->add_up_norm(x.size(1));
    cuda::norm_finish_statistics(rows_of_all(x), x.size(1), of.own_sums, parameters(norm),
                                 saved(norm), stream_);
  }
  Tensor apply(const Tensor& x, const Norm& norm, const Tensor& residual = {},
               const float* residual_saved = nullptr) {
    Tensor y = torch::empty_like(x);
    cuda::norm_apply(shape(x), x.data_ptr(), saved(norm),
                     residual.defined() ? residual.data_ptr() : nullptr, residual_saved, true,
                     y.data_ptr(), stream_);
    return y;
  }
  // What convolutions take a norm's sums with.
  Tensor norm_parts(std::int64_t channels) const {
    return torch::empty({processors_, 2 * channels}, torch::dtype(torch::kFloat32).device(device_));
  }
  cuda::NormWorkSpace room_in(const Tensor& parts) const {
    return {parts.data_ptr<float>(), cuda::norm_counters(norm_scratch_.data_ptr())};
  }
  // The gradients of gamma and beta go to their places in the network's gradient buffer.
  cuda::NormGradients gradients(const Norm& norm) {
    return {weights_[norm.gamma].data_ptr<float>(), saved(norm), gradient_place(norm.gamma),
            gradient_place(norm.beta)};
  }
  float* gradient_place(std::size_t parameter) {
    gradients_[parameter] = network_->parameters()[parameter].value.grad();
    return gradients_[parameter].data_ptr<float>();
  }
  void norm_sums(const cuda::NormGradient& gradient, const Tensor& x, const Norm& norm, void* g,
                 const cuda::NormMembers& of) {
    cuda::norm_backward_sums(shape(x), gradient, x.data_ptr(), gradients(norm), g,
                             norm_scratch_.data_ptr(), stream_, of);
    finish_backward(x, norm, of);
  }
  void finish_backward(const Tensor& x, const Norm& norm, const cuda::NormMembers& of) {
    if (!of.own_sums) return;
    members_->add_up_norm(x.size(1));
    cuda::norm_finish_backward(rows_of_all(x), x.size(1), of.own_sums, gradients(norm), stream_);
  }
  void norm_apply(const cuda::NormGradient& gradient, const Tensor& x, const Norm& norm,
                  Tensor& dx) {
    cuda::norm_backward_apply(shape(x), gradient, x.data_ptr(), saved(norm), dx.data_ptr(),
                              stream_);
  }

  const Trial trial_;
  const cuda::AugmentPlan plan_;
  const torch::Device device_;
  const cuda::Stream stream_;
  Group* const group_;  // of several, or null
  const cuda::Element element_;
  const at::ScalarType type_;
  const int processors_;
  const std::size_t shared_bytes_;  // that a block may have
  std::shared_ptr<Network> network_;
  Tensor velocity_, norms_, norm_scratch_, input_;
  std::vector<Tensor> weights_;     // by parameter: what the network computes with
  std::vector<Tensor> gradients_;   // by parameter, of the last passes
  std::optional<Members> members_;  // in a group
  std::unique_ptr<cuda::Update> update_;
};

}  // namespace

std::unique_ptr<Passes> make_passes(const Trial& trial, const cuda::AugmentPlan& plan,
                                    torch::Device device, cuda::Stream stream, Group* group) {
  return std::make_unique<WrittenOutPasses>(trial, plan, device, stream, group);
}

}  // namespace occam
#endif
