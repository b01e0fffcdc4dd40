// The steps of a gang whose members share one GPU, each with a stream and a thread: their kernels
// meet in its memory as they do over several. Skipped where no GPU is visible.
#ifdef OCCAM_CUDA
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <barrier>
#include <chrono>
#include <future>
#include <vector>

#include "tests/worker/every_loss.h"
#include "tests/worker/gpu.h"
#include "tests/worker/sample.h"
#include "worker/cuda/side_copies.h"
#include "worker/cuda/update.h"
#include "worker/model/precision.h"
#include "worker/train/augment_plan.h"
#include "worker/train/passes.h"

namespace occam {
namespace {

using torch::Tensor;

constexpr int kMembers = 2;
constexpr std::int64_t kSteps = 4;

// What the members of one process know of each other.
struct Meeting {
  explicit Meeting(bool memory) : has_memory(memory) {
    cudaMallocHost(&broken, sizeof *broken);
    *broken = 0;
  }
  ~Meeting() { cudaFreeHost(broken); }

  const bool has_memory;
  std::barrier<> barrier{kMembers};
  std::vector<Tensor> brought{kMembers};
  int sums = 0;  // of rank 0
  std::int32_t* broken = nullptr;
};

// Members that wait for each other on the host, so their steps cannot be captured.
class OnOneGpu final : public Group {
 public:
  OnOneGpu(Meeting& meeting, std::int64_t rank)
      : Group({rank, kMembers, ""}, std::chrono::seconds(60)), meeting_(meeting) {}

  void join(const std::function<void(const std::string&)>&) override {}
  void all_reduce(torch::TensorList values) override {
    if (rank_ == 0) ++meeting_.sums;
    for (const Tensor& value : values) {
      const std::vector<Tensor> all = bring(value.clone());
      value.copy_(all[0] + all[1]);
    }
  }
  Tensor all_gather(const Tensor& rows) override { return at::cat(bring(rows)); }
  void broadcast(const Tensor& values) override { values.copy_(bring(values)[0]); }
  std::optional<SharedMemory> share_memory(std::int64_t bytes) override {
    if (!meeting_.has_memory) return std::nullopt;
    memory_ = torch::zeros({bytes}, torch::dtype(torch::kUInt8).device(kGpu));
    SharedMemory shared{{}, meeting_.broken};
    for (const Tensor& of_rank : bring(memory_)) shared.of_rank.push_back(of_rank.data_ptr());
    return shared;
  }
  void barrier() override { bring({}); }
  bool any(bool mine) override { return mine; }
  void leave() override {}

 private:
  void on_abort() override {}
  void poll() override {}

  std::vector<Tensor> bring(const Tensor& mine) {
    cudaStreamSynchronize(c10::cuda::getCurrentCUDAStream());
    meeting_.brought[static_cast<std::size_t>(rank_)] = mine;
    meeting_.barrier.arrive_and_wait();
    const std::vector<Tensor> all = meeting_.brought;
    meeting_.barrier.arrive_and_wait();
    return all;
  }

  Meeting& meeting_;
  Tensor memory_;
};

struct Result {
  Tensor parameters, velocity, statistics, first_statistics;  // the last: after one step
  double loss_sum;
};

Result train(const Trial& trial, const Tensor& images, Group* group) {
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool(false, kGpu.index());
  const c10::cuda::CUDAStreamGuard guard(stream);
  const at::NoGradGuard no_gradient;
  const cuda::AugmentPlan plan =
      augment_plan(trial, static_cast<int>(images.size(2)), static_cast<int>(images.size(1)),
                   share_of(trial.batch_size, group));
  const std::unique_ptr<Passes> passes = make_passes(trial, plan, kGpu, stream, group);
  passes->begin(trial, {});
  const Tensor bytes = images.to(kGpu);
  const Tensor order = at::arange(images.size(0), torch::dtype(torch::kInt32)).to(kGpu);
  const Tensor memory = torch::zeros({static_cast<std::int64_t>(sizeof(cuda::StepState))},
                                     torch::dtype(torch::kUInt8).device(kGpu));
  auto* const on_device = static_cast<cuda::StepState*>(memory.data_ptr());
  cuda::StepState state;
  state.images = bytes.const_data_ptr<std::uint8_t>();
  state.order = order.const_data_ptr<std::int32_t>();
  state.image_count = static_cast<std::int32_t>(images.size(0));
  state.seed = static_cast<std::int32_t>(trial.seed);
  state.rate = static_cast<float>(trial.learning_rate);
  cudaMemcpyAsync(on_device, &state, sizeof state, cudaMemcpyHostToDevice, stream);
  Tensor first_statistics;
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const Passes::Rows rows = passes->forward_and_backward(on_device);
    passes->keep_gradients_here();
    passes->update(on_device);
    cuda::advance(on_device, rows.losses.data_ptr<float>(), rows.hits.data_ptr<float>(),
                  rows.losses.numel(), stream);
    // The gradients' memory is free from here on.
    cudaStreamSynchronize(stream);
    if (i == 0) first_statistics = passes->network()->statistics().cpu();
  }
  cudaMemcpyAsync(&state, on_device, sizeof state, cudaMemcpyDeviceToHost, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  Network& network = *passes->network();
  return {network.flat().cpu(), passes->velocity().cpu(), network.statistics().cpu(),
          first_statistics, state.loss_sum};
}

std::vector<Result> train_together(const Trial& trial, const Tensor& images, bool has_memory,
                                   int* sums = nullptr) {
  Meeting meeting(has_memory);
  std::vector<std::future<Result>> members;
  for (int rank = 0; rank < kMembers; ++rank)
    members.push_back(std::async(std::launch::async, [&, rank] {
      OnOneGpu group(meeting, rank);
      try {
        return train(trial, images, &group);
      } catch (...) {
        *static_cast<volatile std::int32_t*>(meeting.broken) = 1;
        meeting.barrier.arrive_and_drop();  // the other need not wait
        throw;
      }
    }));
  std::vector<Result> results;
  for (std::future<Result>& member : members) {
    if (member.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      ADD_FAILURE() << "a member waits in vain";
      *static_cast<volatile std::int32_t*>(meeting.broken) = 1;
    }
    results.push_back(member.get());
  }
  if (sums) *sums = meeting.sums;
  return results;
}

// A kernel that is used for the first time waits until those that run have ended, which here wait
// for each other.
void load_kernels() {
  const Tensor memory = torch::zeros({64}, torch::dtype(torch::kFloat32).device(kGpu));
  const cuda::Stream stream = c10::cuda::getCurrentCUDAStream();
  cuda::Exchange alone;
  alone.of_rank[0] = static_cast<std::uint64_t*>(memory.data_ptr());
  alone.values = 1;
  cuda::next_round(alone, stream);
  float* const values = memory.data_ptr<float>() + 16;
  const auto element = cuda::Element::float32;
  const cuda::Update update({{values, element, values, values, nullptr, element, 4, 1, 1, 1}},
                            stream);
  const cuda::SentGradients sent{alone, {}};
  update.run(reinterpret_cast<const cuda::StepState*>(values), 0, 0, stream, &sent);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

class GangOnOneGpu : public testing::TestWithParam<Loss> {
 protected:
  void SetUp() override {
    if (skip_without_gpu(); IsSkipped()) return;
    at::manual_seed(7);
    load_kernels();
    trial = narrow(GetParam());
    trial.learning_rate = 2e-6;  // at the usual one a rounding grows tenfold a step
  }
  const PrecisionScope exact{Precision::fp32};  // of what comes from ATen
  Trial trial;
  const Tensor images = at::randint(0, 256, {16 * kSteps, 3, 32, 32}, torch::kUInt8);
};

INSTANTIATE_TEST_SUITE_P(Losses, GangOnOneGpu, testing::ValuesIn(every_loss()), loss_name);

TEST_P(GangOnOneGpu, TrainsAsOneMemberWithTheWholeBatch) {
  const Result alone = train(trial, images, nullptr);
  // What the shares need is loaded while nobody waits on the GPU.
  for (const bool has_memory : {false, true}) {
    int sums = 0;
    const std::vector<Result> members = train_together(trial, images, has_memory, &sums);
    EXPECT_EQ(sums == 0, has_memory);
    for (const Result& member : members) {
      EXPECT_TRUE(at::equal(member.parameters, members[0].parameters));
      EXPECT_TRUE(at::equal(member.velocity, members[0].velocity));
      EXPECT_TRUE(at::equal(member.statistics, members[0].statistics));
      EXPECT_LT(relative(member.velocity, alone.velocity), 5e-3);
      EXPECT_LT(relative(member.first_statistics, alone.first_statistics), 1e-6);
      EXPECT_LT(relative(member.statistics, alone.statistics), 2e-6);
      EXPECT_NEAR(member.loss_sum, alone.loss_sum, 1e-5 * kSteps);
    }
  }
}

void expect_the_same_bits(const std::vector<Result>& members, const Result& alone) {
  for (const Result& member : members) {
    EXPECT_TRUE(at::equal(member.parameters, members[0].parameters));
    EXPECT_TRUE(at::equal(member.velocity, members[0].velocity));
    EXPECT_NEAR(member.velocity.norm().item<double>() / alone.velocity.norm().item<double>(), 1,
                0.3);
    EXPECT_NEAR(member.loss_sum, alone.loss_sum, 0.05 * alone.loss_sum);
  }
}

// Narrow here too: blocks of an update that fill the GPU wait for who finds no room in it.
TEST_P(GangOnOneGpu, HasTheSameBitsInBf16OnAllMembers) {
  trial.precision = Precision::bf16;
  const Result alone = train(trial, images, nullptr);
  for (const bool has_memory : {false, true})
    expect_the_same_bits(train_together(trial, images, has_memory), alone);
}

// Of full width, whose convolutions take the norms' sums; without memory of each other's, since
// kernels of full width that wait for another member's would fill the GPU.
TEST_P(GangOnOneGpu, OfFullWidthHasTheSameBitsInBf16OnAllMembers) {
  trial.precision = Precision::bf16;
  trial.width = 1;
  const Result alone = train(trial, images, nullptr);
  const std::vector<Result> members = train_together(trial, images, false);
  expect_the_same_bits(members, alone);
  for (const Result& member : members)
    EXPECT_LT(relative(member.first_statistics, alone.first_statistics), 1e-3);
}

TEST(SideCopiesOnGpu, AreCapturedBetweenTheStreamsKernels) {
  if (skip_without_gpu(); testing::Test::IsSkipped()) return;
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool(false, kGpu.index());
  const c10::cuda::CUDAStreamGuard guard(stream);
  const Tensor made = torch::zeros({1 << 20}, torch::dtype(torch::kInt32).device(kGpu));
  const Tensor copied = torch::zeros_like(made), read = torch::zeros_like(made);
  cuda::SideCopies copies(stream);
  at::cuda::CUDAGraph graph;
  graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  copies.end();  // of nothing
  made.add_(1);
  copies.begin();
  copies.copy(copied.data_ptr(), made.data_ptr(), static_cast<std::int64_t>(made.nbytes()));
  copies.end();
  read.copy_(copied);
  made.add_(1);
  graph.capture_end();
  for (int i = 0; i < 3; ++i) {
    graph.replay();
    EXPECT_TRUE(read.eq(2 * i + 1).all().item<bool>());
  }
}

}  // namespace
}  // namespace occam
#endif
