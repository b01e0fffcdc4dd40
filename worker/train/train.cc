#include "worker/train/train.h"

#include <torch/types.h>

#include <cmath>

#include "worker/data/augment.h"
#include "worker/data/order.h"
#include "worker/train/losses.h"
#include "worker/train/sgd.h"

namespace occam {
namespace {

using Clock = std::chrono::steady_clock;

// The images of one step: two views, or four rotations, of the batch's rows, one after the other.
torch::Tensor step_images(const Trial& trial, const Augmenter& augmenter, const std::int64_t* rows,
                          std::int64_t epoch) {
  std::vector<torch::Tensor> views;
  const auto count = static_cast<int>(images_per_step(trial) / trial.batch_size);
  for (int view = 0; view < count; ++view)
    views.push_back(augmenter.view(rows, trial.batch_size, epoch, static_cast<std::uint32_t>(view),
                                   trial.loss == Loss::rotation ? view : 0));
  return at::cat(views);
}

LossValue step_loss(const Trial& trial, const NetworkOutput& output) {
  switch (trial.loss) {
    case Loss::contrastive: {
      const std::int64_t rows = trial.batch_size;
      return info_nce(output.embed.narrow(0, 0, rows), output.embed.narrow(0, rows, rows),
                      trial.temperature, trial.negatives);
    }
    case Loss::rotation:
      return rotation_prediction(output.logits);
  }
  throw std::logic_error("unknown loss");
}

// Sums over the steps of one epoch, kept on the device so that no step waits for it.
class EpochMeter {
 public:
  EpochMeter(torch::Device device, double loss_sum, double accuracy_sum)
      : sums_(torch::tensor({loss_sum, accuracy_sum}, torch::kFloat64).to(device)) {}
  void add(const LossValue& value) {
    sums_.add_(at::stack({value.loss.detach(), value.accuracy}).to(torch::kFloat64));
  }
  std::pair<double, double> sums() const {
    const torch::Tensor here = sums_.cpu();
    return {here[0].item<double>(), here[1].item<double>()};
  }
  void reset() { sums_.zero_(); }

 private:
  torch::Tensor sums_;
};

}  // namespace

Training train(const Trial& trial, const torch::Tensor& train_images, torch::Device device,
               const std::optional<TrainingState>& from, const TrainingHooks& hooks) {
  Training training{std::make_unique<Network>(trial, device)};
  if (!is_trained(trial)) return training;
  Network& network = *training.network;
  torch::Tensor weights = network.flat(), gradient = network.gradient();
  torch::Tensor velocity = torch::zeros_like(weights);
  torch::Tensor statistics = network.statistics();
  if (from) {
    if (from->weights.numel() != weights.numel() || from->statistics.numel() != statistics.numel())
      throw Error("a checkpoint of another network");
    weights.copy_(from->weights);
    velocity.copy_(from->velocity);
    statistics.copy_(from->statistics);
    training.steps = from->step;
  }

  const Budget plan = budget(trial);
  const Augmenter augmenter(trial, train_images);
  EpochMeter meter(device, from ? from->loss_sum : 0, from ? from->accuracy_sum : 0);
  const auto state = [&] {
    const auto [loss_sum, accuracy_sum] = meter.sums();
    return TrainingState{training.steps,     weights.clone(), velocity.clone(),
                         statistics.clone(), loss_sum,        accuracy_sum};
  };

  std::int64_t& step = training.steps;
  Clock::time_point last_save = Clock::now();
  // Between two steps: a checkpoint when one is due, and whether to go no further.
  const auto stops_here = [&] {
    training.stopped = hooks.stop_wanted && hooks.stop_wanted();
    if (hooks.save && (training.stopped || Clock::now() - last_save > hooks.save_every)) {
      hooks.save(state());
      last_save = Clock::now();
    }
    return training.stopped;
  };
  while (step < plan.steps) {
    const std::int64_t epoch = step / plan.steps_per_epoch;
    const std::int64_t epoch_begin = epoch * plan.steps_per_epoch;
    const std::int64_t epoch_end = std::min(plan.steps, epoch_begin + plan.steps_per_epoch);
    const std::vector<std::int64_t> order =
        permutation(plan.rows, trial.seed, Purpose::shuffle, epoch);
    const double rate = learning_rate(trial, epoch);
    const Clock::time_point began = Clock::now();
    const std::int64_t first = step;
    while (step < epoch_end) {
      const std::int64_t* rows = order.data() + (step - epoch_begin) * trial.batch_size;
      const torch::Tensor images = step_images(trial, augmenter, rows, epoch).to(device);
      gradient.zero_();
      const LossValue value = step_loss(trial, network.forward(images, true));
      value.loss.backward();
      at::NoGradGuard no_gradient;
      sgd_step(weights, velocity, gradient, rate, trial.momentum, trial.weight_decay);
      meter.add(value);
      ++step;
      if (hooks.on_step) hooks.on_step(step);
      if (step < epoch_end && stops_here()) return training;
    }
    const auto count = static_cast<double>(epoch_end - epoch_begin);
    const auto [loss_sum, accuracy_sum] = meter.sums();
    // No loss is ever computed of the last update's weights.
    const bool is_last = step == plan.steps;
    const bool is_finite = std::isfinite(loss_sum);
    if (!is_finite || (is_last && !at::isfinite(weights).all().item<bool>()))
      throw Diverged(
          (is_finite ? "the weights were not finite" : "the loss was " + std::to_string(loss_sum)) +
          " in epoch " + std::to_string(epoch + 1) + " of " + std::to_string(plan.epochs) +
          " (learning rate " + std::to_string(rate) + ")");
    meter.reset();
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    if (hooks.on_epoch)
      hooks.on_epoch({"", 0, epoch + 1, plan.epochs, loss_sum / count, accuracy_sum / count, rate,
                      static_cast<double>((step - first) * images_per_step(trial)) / seconds});
    if (!is_last && stops_here()) return training;
  }
  return training;
}

TrainingState finished_state(Network& network, std::int64_t step) {
  return {step,
          network.flat().clone(),
          torch::zeros_like(network.flat()),
          network.statistics().clone(),
          0,
          0};
}

}  // namespace occam
