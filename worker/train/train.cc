#include "worker/train/train.h"

#include <torch/types.h>

#include <cmath>

#include "experiments/number.h"
#include "worker/train/sgd.h"

namespace occam {

using Clock = std::chrono::steady_clock;

Training train(const Trial& trial, const torch::Tensor& train_images, Bench& bench,
               const std::optional<TrainingState>& from, const TrainingHooks& hooks) {
  if (!is_trained(trial)) return {std::make_shared<Network>(trial, bench.device())};
  TrainingStep& training_step = bench.step(trial, train_images);
  training_step.begin(trial, train_images, from);
  training_step.on_batch = hooks.on_batch;
  Training training{training_step.network(), from ? from->step : 0};
  if (from) {
    training.tail_loss_sum = from->tail_loss_sum;
    training.tail_accuracy_sum = from->tail_accuracy_sum;
  }

  const Budget plan = budget(trial);
  std::int64_t& step = training.steps;
  Clock::time_point last_save = Clock::now();
  // Between two steps: a checkpoint when one is due, and whether to go no further.
  const auto stops_here = [&] {
    training.stopped = hooks.stop_wanted && hooks.stop_wanted();
    if (hooks.save && (training.stopped || Clock::now() - last_save > hooks.save_every)) {
      TrainingState state = training_step.state(step);
      if (step % plan.steps_per_epoch == 0) state.loss_sum = state.accuracy_sum = 0;
      state.tail_loss_sum = training.tail_loss_sum;
      state.tail_accuracy_sum = training.tail_accuracy_sum;
      hooks.save(state);
      last_save = Clock::now();
    }
    return training.stopped;
  };
  while (step < plan.steps) {
    const std::int64_t epoch = step / plan.steps_per_epoch;
    const std::int64_t epoch_begin = epoch * plan.steps_per_epoch;
    const std::int64_t epoch_end = std::min(plan.steps, epoch_begin + plan.steps_per_epoch);
    const double rate = learning_rate(trial, epoch);
    const Clock::time_point began = Clock::now();
    const std::int64_t first = step;
    training_step.begin_epoch(epoch, step - epoch_begin, rate);
    while (step < epoch_end) {
      training_step.run();
      ++step;
      if (hooks.on_step) hooks.on_step(step);
      if (step < epoch_end && stops_here()) return training;
    }
    const auto count = static_cast<double>(epoch_end - epoch_begin);
    const auto [loss_sum, accuracy_sum] = training_step.sums();
    // No loss is ever computed of the last update's weights.
    const bool is_last = step == plan.steps;
    const bool is_finite = std::isfinite(loss_sum);
    if (!is_finite || (is_last && !at::isfinite(training.network->flat()).all().item<bool>()))
      throw Diverged((is_finite
                          ? "the weights were not finite"
                          : "the loss was " + (std::isnan(loss_sum) ? "NaN" : spelled(loss_sum))) +
                     " in epoch " + std::to_string(epoch + 1) + " of " +
                     std::to_string(plan.epochs) + " (learning rate " + spelled(rate) + ")");
    if (epoch >= tail_begin(plan)) {
      training.tail_loss_sum += loss_sum;
      training.tail_accuracy_sum += accuracy_sum;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    if (hooks.on_epoch)
      hooks.on_epoch({"", 0, epoch + 1, plan.epochs, loss_sum / count, accuracy_sum / count, rate,
                      static_cast<double>((step - first) * images_per_step(trial)) / seconds});
    if (!is_last && stops_here()) return training;
  }
  return training;
}

TrainingTail tail_of(const Trial& trial, const Training& training) {
  const Budget plan = budget(trial);
  const auto steps = static_cast<double>(plan.steps - tail_begin(plan) * plan.steps_per_epoch);
  return {training.tail_loss_sum / steps, training.tail_accuracy_sum / steps};
}

TrainingState finished_state(const Training& training) {
  Network& network = *training.network;
  return {training.steps,
          network.flat().clone(),
          torch::zeros_like(network.flat()),
          network.statistics().clone(),
          0,
          0,
          training.tail_loss_sum,
          training.tail_accuracy_sum};
}

}  // namespace occam
