// The loss as a GPU's step takes it against autograd in float64. Skipped where no GPU is visible.
#ifdef OCCAM_CUDA
#include "worker/train/written_out_loss.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/worker/gpu.h"
#include "tests/worker/sample.h"
#include "worker/cuda/pool.h"
#include "worker/model/precision.h"
#include "worker/train/losses.h"

namespace occam {
namespace {

using torch::Tensor;

struct LossCase {
  Loss loss;
  std::int64_t rows, width, negatives;
  torch::ScalarType type;
  double bound;  // of the gradient's relative error
};
void PrintTo(const LossCase& one, std::ostream* stream) {
  *stream << to_string(one.loss) << " of " << one.rows << " x " << one.width << ", "
          << one.negatives << " negatives, " << one.type;
}

class GpuLoss : public testing::TestWithParam<LossCase> {
 protected:
  void SetUp() override {
    skip_without_gpu();
    at::manual_seed(7);
  }
  static void expect_autograds(double loss_bound, double gradient_bound) {
    const LossCase& one = GetParam();
    Trial trial;
    trial.loss = one.loss;
    trial.batch_size = one.rows;
    trial.negatives = one.negatives;
    const std::int64_t views = one.loss == Loss::rotation ? 1 : 2;
    // Views of an image are near each other, or no anchor would find its own.
    Tensor outputs = at::randn({views, one.rows, one.width});
    if (views == 2) outputs[1] = outputs[0] + 0.5 * outputs[1];
    outputs = (3 * outputs.view({views * one.rows, one.width})).to(one.type);
    NetworkOutput expected;
    Tensor exact = outputs.to(torch::kFloat64).requires_grad_(true);
    (one.loss == Loss::rotation ? expected.logits : expected.embed) = exact;
    const LossValue value = step_loss(trial, expected);
    value.loss.backward();

    const WrittenOutLoss found =
        written_out_loss(trial, outputs.to(kGpu), c10::cuda::getCurrentCUDAStream());
    EXPECT_EQ(found.gradient.scalar_type(), one.type);
    EXPECT_NEAR(found.losses.mean().item<double>(), value.loss.item<double>(), loss_bound);
    EXPECT_NEAR(found.hits.mean().item<double>(), value.accuracy.item<double>(), 2.0 / 300);
    EXPECT_LT(relative(found.gradient.cpu(), exact.grad()), gradient_bound);
  }
};

constexpr auto kFloat = torch::kFloat32, kHalf = torch::kBFloat16;
INSTANTIATE_TEST_SUITE_P(Shapes, GpuLoss,
                         testing::Values(LossCase{Loss::contrastive, 32, 128, 0, kFloat, 1e-5},
                                         LossCase{Loss::contrastive, 256, 128, 15, kHalf, 4e-3},
                                         LossCase{Loss::contrastive, 300, 128, 0, kFloat, 1e-5},
                                         LossCase{Loss::contrastive, 2048, 128, 0, kHalf, 4e-3},
                                         LossCase{Loss::contrastive, 512, 40, 31, kFloat, 1e-5},
                                         LossCase{Loss::contrastive, 24, 1100, 0, kHalf, 4e-3},
                                         LossCase{Loss::contrastive_symmetric, 300, 128, 0, kFloat,
                                                  1e-5},
                                         LossCase{Loss::rotation, 1200, 4, 0, kHalf, 4e-3}));

TEST_P(GpuLoss, IsAutograds) {
  const PrecisionScope exact(Precision::fp32);
  expect_autograds(1e-5, GetParam().bound);
}

TEST_P(GpuLoss, LosesLittleToTheProductsOfABf16Step) {
  const CaptureScope scope(Precision::bf16, false);
  expect_autograds(1e-3, 5e-3);
}

// 4 x 4 pixels at full width, and one.
TEST(GpuPool, IsTheMeanAndSpreadsItsGradient) {
  if (skip_without_gpu(); testing::Test::IsSkipped()) return;
  const cuda::Stream stream = c10::cuda::getCurrentCUDAStream();
  for (const std::int64_t side : {1, 4, 7})
    for (const auto type : {kFloat, kHalf}) {
      const std::int64_t channels = 24, images = 50;
      const Tensor x = at::randn({images, channels, side, side})
                           .to(type)
                           .contiguous(at::MemoryFormat::ChannelsLast)
                           .to(kGpu);
      Tensor mean = torch::empty({images, channels}, x.options()), of_x = torch::empty_like(x);
      const cuda::PoolShape shape{images, side * side, channels,
                                  type == kHalf ? cuda::Element::bfloat16 : cuda::Element::float32};
      cuda::pool(shape, x.data_ptr(), mean.data_ptr(), stream);
      const Tensor expected = x.to(torch::kFloat64).mean({2, 3});
      EXPECT_LT(relative(mean, expected), type == kHalf ? 4e-3 : 1e-6);
      cuda::pool_backward(shape, mean.data_ptr(), of_x.data_ptr(), stream);
      const Tensor share = mean.to(torch::kFloat64).div(side * side).view({images, channels, 1, 1});
      EXPECT_LT(relative(of_x, share.expand_as(x)), type == kHalf ? 4e-3 : 1e-6);
    }
}

}  // namespace
}  // namespace occam
#endif
