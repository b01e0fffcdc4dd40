#include <torch/types.h>

#include "worker/data/augment.h"
#include "worker/data/order.h"
#include "worker/train/losses.h"
#include "worker/train/sgd.h"
#include "worker/train/training_step.h"

namespace occam {
namespace {

class EagerStep final : public TrainingStep {
 public:
  EagerStep(const Trial& trial, torch::Device device)
      : network_(std::make_shared<Network>(trial, device)),
        velocity_(torch::zeros_like(network_->flat())),
        sums_(torch::zeros({2}, torch::kFloat64).to(device)) {}

  void begin(const Trial& trial, const torch::Tensor& images,
             const std::optional<TrainingState>& from) override {
    trial_ = trial;
    augmenter_.emplace(trial, images);
    set_state(*network_, velocity_, trial, from);
    resumed_sums_ = from ? torch::tensor({from->loss_sum, from->accuracy_sum}, torch::kFloat64)
                         : torch::zeros({2}, torch::kFloat64);
  }

  void begin_epoch(std::int64_t epoch, std::int64_t index, double rate) override {
    epoch_ = epoch;
    index_ = index;
    rate_ = rate;
    order_ = permutation(augmenter_->rows(), trial_.seed, Purpose::shuffle, epoch);
    sums_.copy_(resumed_sums_);
    resumed_sums_.zero_();
  }

  void run() override {
    torch::Tensor weights = network_->flat(), gradient = network_->gradient();
    const torch::Tensor images = step_images().to(network_->device());
    gradient.zero_();
    const LossValue value = step_loss(trial_, network_->forward(images, true));
    if (on_batch) on_batch(images, weights, value.loss);
    value.loss.backward();
    const at::NoGradGuard no_gradient;
    sgd_step(weights, velocity_, gradient, rate_, trial_.momentum, trial_.weight_decay);
    sums_.add_(at::stack({value.loss.detach(), value.accuracy}).to(torch::kFloat64));
    ++index_;
  }

  std::pair<double, double> sums() override {
    const torch::Tensor here = sums_.cpu();
    return {here[0].item<double>(), here[1].item<double>()};
  }
  TrainingState state(std::int64_t steps) override {
    const auto [loss, accuracy] = sums();
    return {
        steps,   network_->flat().clone(), velocity_.clone(), network_->statistics().clone(), loss,
        accuracy};
  }
  const std::shared_ptr<Network>& network() const override { return network_; }

 private:
  // Two views, or four rotations, of the batch's rows, one after the other.
  torch::Tensor step_images() const {
    const std::int64_t* rows = order_.data() + index_ * trial_.batch_size;
    std::vector<torch::Tensor> views;
    const auto count = static_cast<int>(images_per_step(trial_) / trial_.batch_size);
    for (int view = 0; view < count; ++view)
      views.push_back(augmenter_->view(rows, trial_.batch_size, epoch_,
                                       static_cast<std::uint32_t>(view),
                                       trial_.loss == Loss::rotation ? view : 0));
    return at::cat(views);
  }

  Trial trial_;
  std::shared_ptr<Network> network_;
  torch::Tensor velocity_;
  // Kept on the device, so that no step waits for them.
  torch::Tensor sums_, resumed_sums_;
  std::optional<Augmenter> augmenter_;
  std::vector<std::int64_t> order_;
  std::int64_t epoch_ = 0, index_ = 0;
  double rate_ = 0;
};

}  // namespace

std::unique_ptr<TrainingStep> make_eager_step(const Trial& trial, torch::Device device) {
  return std::make_unique<EagerStep>(trial, device);
}

}  // namespace occam
