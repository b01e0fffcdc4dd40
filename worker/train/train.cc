#include "worker/train/train.h"

#include <torch/types.h>

#include <cmath>

#include "experiments/number.h"
#include "worker/train/sgd.h"

namespace occam {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::int64_t kStepsToAgreement = 16;

// Rank 0's state on all members.
std::optional<TrainingState> shared_state(const std::optional<TrainingState>& own,
                                          torch::Device device, Group& group) {
  const bool speaks = group.rank() == 0;
  const bool has = speaks && own;
  const auto sent = [&](torch::Tensor values) {
    values = values.to(device).contiguous();
    group.broadcast(values);
    return values.cpu();
  };
  const torch::Tensor sizes = sent(
      has ? torch::tensor({own->step, own->weights.numel(), own->statistics.numel()}, torch::kInt64)
          : torch::tensor({-1, 0, 0}, torch::kInt64));
  const auto size = [&](int i) { return sizes[i].item<std::int64_t>(); };
  if (size(0) < 0) return std::nullopt;
  const auto floats = [&](const torch::Tensor& ours, std::int64_t count) {
    return sent(speaks ? ours : torch::empty({count}, torch::kFloat32));
  };
  const TrainingState nothing;
  const TrainingState& ours = has ? *own : nothing;
  const torch::Tensor sums = sent(
      torch::tensor({ours.loss_sum, ours.accuracy_sum, ours.tail_loss_sum, ours.tail_accuracy_sum},
                    torch::kFloat64));
  TrainingState state;
  state.step = size(0);
  state.weights = floats(ours.weights, size(1));
  state.velocity = floats(ours.velocity, size(1));
  state.statistics = floats(ours.statistics, size(2));
  state.loss_sum = sums[0].item<double>();
  state.accuracy_sum = sums[1].item<double>();
  state.tail_loss_sum = sums[2].item<double>();
  state.tail_accuracy_sum = sums[3].item<double>();
  return state;
}

// Whether it is so on any member, on all alike; waits for the device.
bool is_so_anywhere(bool here, torch::Device device, Group* group) {
  if (!group) return here;
  const torch::Tensor count = torch::tensor({here ? 1 : 0}, torch::kInt32).to(device);
  group->all_reduce(count);
  group->barrier();
  return count.cpu().item<int>() > 0;
}

// Waits for the device's work on the state, so that another stream may read it.
TrainingState on_cpu(TrainingState state) {
  state.weights = state.weights.cpu();
  state.velocity = state.velocity.cpu();
  state.statistics = state.statistics.cpu();
  return state;
}

}  // namespace

Training train(const Trial& trial, const torch::Tensor& train_images, Bench& bench,
               const std::optional<TrainingState>& own, const TrainingHooks& hooks, Group* group) {
  if (!is_trained(trial)) return {std::make_shared<Network>(trial, bench.device())};
  TrainingStep& training_step = bench.step(trial, train_images, group);
  const std::optional<TrainingState> from = group ? shared_state(own, bench.device(), *group) : own;
  training_step.begin(trial, train_images, from);
  training_step.on_batch = hooks.on_batch;
  Training training{training_step.network(), from ? from->step : 0};
  if (from) {
    training.tail_loss_sum = from->tail_loss_sum;
    training.tail_accuracy_sum = from->tail_accuracy_sum;
  }

  const Budget plan = budget(trial);
  std::int64_t& step = training.steps;
  training.last_save = hooks.last_save.value_or(Clock::now());
  const auto state_here = [&] {
    TrainingState state = training_step.state(step);
    if (step % plan.steps_per_epoch == 0) state.loss_sum = state.accuracy_sum = 0;
    state.tail_loss_sum = training.tail_loss_sum;
    state.tail_accuracy_sum = training.tail_accuracy_sum;
    return state;
  };
  // Between two steps: a checkpoint when one is due, and whether to go no further.
  const auto stops_here = [&] {
    const bool asks = !group || step % kStepsToAgreement == 0;
    const bool wanted = asks && hooks.stop_wanted && hooks.stop_wanted();
    training.stopped = group && asks ? group->any(wanted) : wanted;
    if (hooks.save && (training.stopped || Clock::now() - training.last_save > hooks.save_every)) {
      hooks.save(state_here());
      training.last_save = Clock::now();
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
    const bool diverged =
        !is_finite || (is_last && !at::isfinite(training.network->flat()).all().item<bool>());
    if (is_so_anywhere(diverged, bench.device(), group))
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
    if (is_last) break;
    if (stops_here()) return training;
    if (!group && hooks.moves &&
        hooks.moves(seconds_left(plan.steps - step, step - first, seconds))) {
      training.moves_from = on_cpu(state_here());
      return training;
    }
  }
  return training;
}

double seconds_left(std::int64_t steps, std::int64_t timed_steps, double timed_seconds) {
  return timed_seconds * static_cast<double>(steps) / static_cast<double>(timed_steps);
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
