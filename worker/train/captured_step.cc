#ifdef OCCAM_CUDA
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/types.h>

#include <array>
#include <vector>

#include "experiments/error.h"
#include "worker/cuda/demand.h"
#include "worker/cuda/part.h"
#include "worker/data/augment.h"
#include "worker/data/order.h"
#include "worker/distributed/across.h"
#include "worker/model/precision.h"
#include "worker/train/augment_plan.h"
#include "worker/train/build_thread.h"
#include "worker/train/passes.h"
#include "worker/train/pause.h"
#include "worker/train/training_step.h"

namespace occam {
namespace {

using cuda::demand, cuda::is_done;
using torch::Tensor;
// Of a step for which all of cuDNN's algorithms are tried.
constexpr std::int64_t kFewImages = 512;

// The whole step as one graph.
class CapturedStep final : public TrainingStep {
 public:
  CapturedStep(const Trial& trial, const Tensor& images, torch::Device device, Group* group)
      : trial_(trial),
        group_(group),
        device_(device),
        stream_(c10::cuda::getCurrentCUDAStream(device.index())),
        processors_(cuda::processors(stream_)),
        plan_(augment_plan(trial, static_cast<int>(images.size(2)),
                           static_cast<int>(images.size(1)), share_of(trial.batch_size, group))) {
    check_memory_of_a_view();
    on_build_thread(processors_, [this] {
      const c10::cuda::CUDAStreamGuard guard(stream_);
      const at::NoGradGuard no_gradient;
      const CaptureScope scope(trial_.precision, trial_.precision == Precision::bf16 &&
                                                     plan_.views * plan_.batch <= kFewImages);
      state_ = torch::zeros({static_cast<std::int64_t>(sizeof(cuda::StepState))},
                            torch::dtype(torch::kUInt8).device(device_));
      std::unique_ptr<Pause> pause;
      if (!group_)
        pause = pause_at_first("a step on " + std::to_string(processors_) +
                               " multiprocessors: " + step_kind(trial_));
      passes_ = make_passes(trial_, plan_, device_, stream_, group_);
      capture();
    });
    for (cudaEvent_t& event : passed_)
      demand(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync));
  }

  ~CapturedStep() override {
    cudaStreamSynchronize(stream_);
    for (cudaEvent_t event : passed_) cudaEventDestroy(event);
    on_build_thread(processors_, [this] { graph_.reset(); });  // destroys it
  }

  void begin(const Trial& trial, const Tensor& images,
             const std::optional<TrainingState>& from) override {
    const at::NoGradGuard no_gradient;
    trial_ = trial;
    passes_->begin(trial, from);
    images_ = images.to(device_);
    const std::int64_t rows = images.size(0) * plan_.transform_count;
    order_ = torch::empty({rows}, torch::dtype(torch::kInt32).device(device_));
    here_ = {};
    here_.images = images_.const_data_ptr<std::uint8_t>();
    here_.order = order_.const_data_ptr<std::int32_t>();
    here_.image_count = static_cast<std::int32_t>(images.size(0));
    here_.seed = static_cast<std::int32_t>(trial.seed);
    const auto orders = jitter_orders(trial.seed);
    for (int view = 0; view < 4; ++view)
      for (int i = 0; i < 4; ++i)
        here_.jitter_order[view][i] = static_cast<std::uint8_t>(orders[view][i]);
    if (from) here_.loss_sum = from->loss_sum, here_.accuracy_sum = from->accuracy_sum;
    launched_ = 0;
  }

  void begin_epoch(std::int64_t epoch, std::int64_t index, double rate) override {
    const std::vector<std::int64_t> order =
        permutation(order_.numel(), trial_.seed, Purpose::shuffle, epoch);
    const std::vector<std::int32_t> small(order.begin(), order.end());
    demand(cudaMemcpyAsync(order_.data_ptr(), small.data(), small.size() * sizeof(std::int32_t),
                           cudaMemcpyHostToDevice, stream_));
    here_.epoch = static_cast<std::int32_t>(epoch);
    here_.index = static_cast<std::int32_t>(index);
    here_.rate = static_cast<float>(rate);
    demand(
        cudaMemcpyAsync(state_.data_ptr(), &here_, sizeof here_, cudaMemcpyHostToDevice, stream_));
    finish();
    here_.loss_sum = here_.accuracy_sum = 0;
    left_ = order_.numel() / trial_.batch_size - index;
  }

  void run() override {
    if (left_-- <= 0) throw Error("a step beyond its epoch");
    // At most two periods are queued, so that a stop is soon heard and a hung GPU noticed.
    constexpr std::int64_t kPeriod = 16;
    if (launched_ % kPeriod == 0) {
      cudaEvent_t event = passed_[launched_ / kPeriod % passed_.size()];
      if (group_)
        group_->wait([&] { return is_done(cudaEventQuery(event)); });
      else
        demand(cudaEventSynchronize(event));
      if (!group_) Pause::wait_for_end();
      demand(cudaEventRecord(event, stream_));
    }
    ++launched_;
    demand(cudaGraphLaunch(graph_->raw_cuda_graph_exec(), stream_));
  }

  std::pair<double, double> sums() override {
    cuda::StepState now;
    // A copy to pageable memory would wait for the device by itself.
    finish();
    demand(cudaMemcpyAsync(&now, state_.data_ptr(), sizeof now, cudaMemcpyDeviceToHost, stream_));
    demand(cudaStreamSynchronize(stream_));
    return {now.loss_sum, now.accuracy_sum};
  }

  TrainingState state(std::int64_t steps) override {
    const auto [loss, accuracy] = sums();
    Network& network = *passes_->network();
    return {steps,
            network.flat().clone(),
            passes_->velocity().clone(),
            network.statistics().clone(),
            loss,
            accuracy};
  }

  const std::shared_ptr<Network>& network() const override { return passes_->network(); }

 private:
  void check_memory_of_a_view() const {
    constexpr int kKept = 512;  // for the kernel's own arrays and CUDA
    int most = 0;
    demand(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device_.index()));
    const int wanted = cuda::shared_bytes(plan_) + kKept;
    if (wanted > most)
      throw Error("augmentations " + trial_.augmentations.text() + " of images of " +
                  std::to_string(plan_.side) + " x " + std::to_string(plan_.side) +
                  " pixels need " + std::to_string(wanted) +
                  " bytes of a multiprocessor's memory, and this GPU has " + std::to_string(most) +
                  "; prepare the images with a smaller --side");
  }

  // Waits for the device; in a group so that it hears when the others are gone.
  void finish() const {
    if (group_) group_->wait([&] { return is_done(cudaStreamQuery(stream_)); });
    demand(cudaStreamSynchronize(stream_));
  }

  void capture() {
    // Two steps as they come, on one black image, let cuDNN choose its algorithms and libraries
    // make what they keep.
    const Tensor black = torch::zeros({plan_.side * plan_.side * plan_.channels},
                                      torch::dtype(torch::kUInt8).device(device_));
    const Tensor first =
        torch::zeros({trial_.batch_size}, torch::dtype(torch::kInt32).device(device_));
    cuda::StepState state;
    state.images = black.const_data_ptr<std::uint8_t>();
    state.order = first.const_data_ptr<std::int32_t>();
    state.image_count = 1;
    demand(
        cudaMemcpyAsync(state_.data_ptr(), &state, sizeof state, cudaMemcpyHostToDevice, stream_));
    for (int i = 0; i < 2; ++i) passes_->forward_and_backward(device_state());
    finish();
    // The graph has memory of its own: that of the trial steps would lie about unused.
    c10::cuda::CUDACachingAllocator::emptyCache();

    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      whole_step();
    } catch (...) {
      end_capture_of_nothing(*graph);
      throw;
    }
    graph->capture_end();
    passes_->keep_gradients_here();
    graph_ = std::move(graph);
  }

  // The stream must be of use again.
  static void end_capture_of_nothing(at::cuda::CUDAGraph& graph) {
    try {
      graph.capture_end();
    } catch (const std::exception&) {
      cudaGetLastError();
    }
  }

  void whole_step() {
    const Passes::Rows value = passes_->forward_and_backward(device_state());
    passes_->update(device_state());
    cuda::advance(device_state(), value.losses.data_ptr<float>(), value.hits.data_ptr<float>(),
                  value.losses.numel(), stream_);
  }

  cuda::StepState* device_state() const { return static_cast<cuda::StepState*>(state_.data_ptr()); }

  Trial trial_;
  Group* group_;  // or null
  torch::Device device_;
  c10::cuda::CUDAStream stream_;
  int processors_;
  cuda::AugmentPlan plan_;
  Tensor state_, images_, order_;
  std::unique_ptr<Passes> passes_;
  // Made and destroyed on the build thread: graphs register with a generator of the whole process,
  // which nothing guards.
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
  cuda::StepState here_;  // what begin_epoch sends
  std::array<cudaEvent_t, 2> passed_{};
  std::int64_t launched_ = 0;
  std::int64_t left_ = 0;  // steps of the epoch
};

}  // namespace

std::unique_ptr<TrainingStep> make_captured_step(const Trial& trial, const Tensor& images,
                                                 torch::Device device, Group* group) {
  return std::make_unique<CapturedStep>(trial, images, device, group);
}

}  // namespace occam
#endif
