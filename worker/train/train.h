#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

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
  std::function<bool()> stop_wanted;  // asked after every step; in a group after every 16th
  std::function<void(const TrainingState&)> save;  // wanted every `save_every` and on stop
  std::chrono::duration<double> save_every{300};
  // When the training was last saved, before it moved; else it counts from where it begins.
  std::optional<std::chrono::steady_clock::time_point> last_save = {};
  // Asked after every epoch but the last, never in a group, with the seconds of training that are
  // left: whether it should leave this bench.
  std::function<bool(double seconds_left)> moves;
};

struct Training {
  std::shared_ptr<Network> network;                 // of the bench: until its next training
  std::int64_t steps = 0;                           // done, from the very beginning
  bool stopped = false;                             // on request, after save()
  double tail_loss_sum = 0, tail_accuracy_sum = 0;  // over the steps of its last tenth (collapse.h)
  // Where it left its bench on request, on the CPU; nothing was saved for that.
  std::optional<TrainingState> moves_from = {};
  std::chrono::steady_clock::time_point last_save = {};  // as the hooks count it
};

// Trains to the end of the trial's budget, from `from` or from the start; on a CPU the result is
// the same bits either way. Throws Diverged.
//
// With a group its members do so together and end with the same network. `from` is then rank 0's
// alone, the others' is passed over; the hooks may differ, `save` should be rank 0's alone; all
// stop at the same step, within some steps of the first member's wish, and all diverge or none. The
// bench's step must be dropped before the group goes.
Training train(const Trial& trial, const torch::Tensor& train_images, Bench& bench,
               const std::optional<TrainingState>& from, const TrainingHooks& hooks,
               Group* group = nullptr);

// How long so many steps take at the pace of those that were timed.
double seconds_left(std::int64_t steps, std::int64_t timed_steps, double timed_seconds);

// The means over the last tenth of a finished training.
TrainingTail tail_of(const Trial& trial, const Training& training);

// A training that is over as a checkpoint.
TrainingState finished_state(const Training& training);

}  // namespace occam
