#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "experiments/trial.h"
#include "worker/cuda/part.h"
#include "worker/distributed/group.h"
#include "worker/model/network.h"
#include "worker/train/checkpoint.h"

namespace occam {

// One update of a network, over and over: augmentation, forward, loss, backward, SGD. The part of a
// training that depends on the device. One thread at a time.
class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  // From the start of the trial, or from a state of it. The trial may differ from the one that this
  // was made for in what same_step() allows. `images` are bytes on the CPU. Throws Error for a
  // state of another network.
  virtual void begin(const Trial& trial, const torch::Tensor& images,
                     const std::optional<TrainingState>& from) = 0;
  // The next run() is the epoch's batch `index`. The sums go on from what the state held, once, and
  // else from 0.
  virtual void begin_epoch(std::int64_t epoch, std::int64_t index, double rate) = 0;
  // May return before the device is done.
  virtual void run() = 0;
  // Losses and accuracies of this epoch's steps, added up; waits for the device.
  virtual std::pair<double, double> sums() = 0;
  // After `steps` updates; waits too.
  virtual TrainingState state(std::int64_t steps) = 0;
  virtual const std::shared_ptr<Network>& network() const = 0;

  // Hears each run's images as they entered the network, the flat weights that they met, and the
  // loss; on a CPU alone, where these are there between two operations.
  std::function<void(const torch::Tensor& images, const torch::Tensor& weights,
                     const torch::Tensor& loss)>
      on_batch;
};

// Whether a step made for one trial can run another: all that it computes is the same but class,
// seed, rate of learning and budget.
bool same_step(const Trial& a, const Trial& b);
// The same for all trials whose steps are, and for no other.
std::string step_kind(const Trial& trial);

// For images of this size and number of channels. On a CPU eager operations; on a GPU one CUDA
// graph, captured on the current stream, on which it must be run too. With a group the members run
// it together, each on its share of every batch, and end with the same network, that of a step
// without a group; the step must go before the group. Throws GroupBroken, also from its run() and
// from all that waits for the device, and Error for a batch that cannot be shared out evenly.
std::unique_ptr<TrainingStep> make_step(const Trial& trial, const torch::Tensor& images,
                                        torch::Device device, Group* group = nullptr);

// Parameters, velocity and statistics as at the start of the trial, or as in the state. Throws
// Error for a state of another network.
void set_state(Network& network, torch::Tensor& velocity, const Trial& trial,
               const std::optional<TrainingState>& from);

std::unique_ptr<TrainingStep> make_eager_step(const Trial& trial, torch::Device device,
                                              torch::ScalarType type = torch::kFloat32,
                                              Group* group = nullptr);
#ifdef OCCAM_CUDA
// Throws Error for a network that it has no kernels for, and c10::OutOfMemoryError.
std::unique_ptr<TrainingStep> make_captured_step(const Trial& trial, const torch::Tensor& images,
                                                 torch::Device device, Group* group = nullptr);
#endif

// What a slot of a worker keeps from one trial to the next: its stream, and the last step, which
// for a trial of the same kind need not be made again. One thread at a time.
class Bench {
 public:
  // On a GPU trainings run on that part of it. `type` is the network's; float64 is for comparing,
  // in eager operations on any device.
  explicit Bench(torch::Device device, cuda::Part part = {},
                 torch::ScalarType type = torch::kFloat32);
  ~Bench();
  Bench(const Bench&) = delete;

  torch::Device device() const { return device_; }
  // Makes the calling thread work on this bench's device, on a stream of its own.
  void enter_training() const;
  // After all training work is done: on a stream that goes before the other slots' trainings. An
  // evaluation is many small launches, each of which would else wait for theirs.
  void enter_evaluation() const;
  cuda::Part part() const { return part_; }
  bool is_warm(const Trial& trial) const;
  bool has_step() const { return step_ != nullptr; }
  // In a gang before its group goes.
  void drop_step() { step_.reset(); }
  // A group's step is made for it and never warm.
  TrainingStep& step(const Trial& trial, const torch::Tensor& images, Group* group = nullptr);

 private:
  torch::Device device_;
  cuda::Part part_;
  torch::ScalarType type_;
  void *training_ = nullptr, *evaluation_ = nullptr;  // streams
  std::optional<Trial> made_for_;
  std::unique_ptr<TrainingStep> step_;
};

}  // namespace occam
