#include "worker/train/training_step.h"

#include "experiments/error.h"

#ifdef OCCAM_CUDA
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#endif

namespace occam {
namespace {

// The trial with everything at its default that a step does not depend on.
Trial kind_of(Trial trial) {
  const Trial standard;
  trial.inlier = standard.inlier;
  trial.seed = standard.seed;
  trial.epochs = standard.epochs;
  trial.steps = standard.steps;
  trial.learning_rate = standard.learning_rate;
  trial.learning_rate_scaling = standard.learning_rate_scaling;
  trial.schedule = standard.schedule;
  trial.train_limit = standard.train_limit;
  return trial;
}

}  // namespace

std::string step_kind(const Trial& trial) { return to_json(kind_of(trial)).dump(); }

bool same_step(const Trial& a, const Trial& b) { return step_kind(a) == step_kind(b); }

void set_state(Network& network, torch::Tensor& velocity, const Trial& trial,
               const std::optional<TrainingState>& from) {
  if (!from) {
    network.draw(trial.seed);
    velocity.zero_();
    return;
  }
  torch::Tensor weights = network.flat(), statistics = network.statistics();
  if (from->weights.numel() != weights.numel() || from->statistics.numel() != statistics.numel())
    throw Error("a checkpoint of another network");
  weights.copy_(from->weights);
  velocity.copy_(from->velocity);
  statistics.copy_(from->statistics);
}

std::unique_ptr<TrainingStep> make_step(const Trial& trial,
                                        [[maybe_unused]] const torch::Tensor& images,
                                        torch::Device device, Group* group) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) return make_captured_step(trial, images, device, group);
#endif
  return make_eager_step(trial, device, torch::kFloat32, group);
}

Bench::Bench(torch::Device device, cuda::Part part, torch::ScalarType type)
    : device_(device), part_(part), type_(type) {
#ifdef OCCAM_CUDA
  if (!device_.is_cuda()) return;
  c10::cuda::set_device(device_.index());
  int least = 0, greatest = 0;
  cudaStream_t evaluation = nullptr;
  if (cudaDeviceGetStreamPriorityRange(&least, &greatest) != cudaSuccess ||
      cudaStreamCreateWithPriority(&evaluation, cudaStreamNonBlocking, greatest) != cudaSuccess)
    throw Error(device_.str() + ": no stream can be made");
  training_ = cuda::part_stream(part_);
  evaluation_ = evaluation;
#endif
}

// The streams stay: memory that was used on them may still be waited for.
Bench::~Bench() = default;

void Bench::enter_training() const {
#ifdef OCCAM_CUDA
  if (!device_.is_cuda()) return;
  c10::cuda::set_device(device_.index());
  c10::cuda::setCurrentCUDAStream(
      c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(training_), device_.index()));
#endif
}

void Bench::enter_evaluation() const {
#ifdef OCCAM_CUDA
  if (!device_.is_cuda()) return;
  if (cudaStreamSynchronize(static_cast<cudaStream_t>(training_)) != cudaSuccess)
    throw Error(device_.str() + ": the training did not end well");
  c10::cuda::setCurrentCUDAStream(
      c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(evaluation_), device_.index()));
#endif
}

bool Bench::is_warm(const Trial& trial) const {
  return step_ && made_for_ && same_step(*made_for_, trial);
}

TrainingStep& Bench::step(const Trial& trial, const torch::Tensor& images, Group* group) {
  if (group || !is_warm(trial)) {
    drop_step();
    made_for_.reset();
    step_ = type_ == torch::kFloat32 ? make_step(trial, images, device_, group)
                                     : make_eager_step(trial, device_, type_, group);
    if (!group) made_for_ = trial;
  }
  return *step_;
}

}  // namespace occam
