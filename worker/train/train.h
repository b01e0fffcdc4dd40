#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "experiments/message.h"
#include "worker/data/images.h"
#include "worker/model/network.h"
#include "worker/train/checkpoint.h"
#include "worker/train/collapse.h"
#include "worker/train/training_step.h"

namespace occam {

// The loss left the real numbers: an outcome, not an error of the machine.
class Diverged : public Error {
 public:
  using Error::Error;
};

// What a training does beside training; none of it changes a number. Called on the training thread.
struct TrainingHooks {
  std::function<void(const Progress&)> on_epoch;  // trial and lease are left to the caller
  std::function<void(std::int64_t step)> on_step;
  // Of each step: the images as they entered the network, the flat weights that they met, the loss.
  std::function<void(const torch::Tensor& images, const torch::Tensor& weights,
                     const torch::Tensor& loss)>
      on_batch;
  std::function<bool()> stop_wanted;               // asked after every step
  std::function<void(const TrainingState&)> save;  // wanted every `save_every` and on stop
  std::chrono::duration<double> save_every{300};
};

struct Training {
  std::shared_ptr<Network> network;                 // of the bench: until its next training
  std::int64_t steps = 0;                           // done, from the very beginning
  bool stopped = false;                             // on request, after save()
  double tail_loss_sum = 0, tail_accuracy_sum = 0;  // over the steps of its last tenth (collapse.h)
};

// Trains to the end of the trial's budget, from `from` or from the start; on a CPU the result is
// the same bits either way. Throws Diverged.
Training train(const Trial& trial, const torch::Tensor& train_images, Bench& bench,
               const std::optional<TrainingState>& from, const TrainingHooks& hooks);

// The means over the last tenth of a finished training.
TrainingTail tail_of(const Trial& trial, const Training& training);

// A training that is over as a checkpoint.
TrainingState finished_state(const Training& training);

}  // namespace occam
