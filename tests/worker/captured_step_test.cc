// The GPU's step against the CPU's code and against ATen. Skipped where no GPU is visible.
#ifdef OCCAM_CUDA
#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <thread>

#include "tests/worker/every_loss.h"
#include "tests/worker/gpu.h"
#include "worker/cuda/batch_norm.h"
#include "worker/cuda/convolution.h"
#include "worker/cuda/dense.h"
#include "worker/cuda/part.h"
#include "worker/data/augment.h"
#include "worker/model/precision.h"
#include "worker/train/augment_plan.h"
#include "worker/train/training_step.h"

namespace occam {
namespace {

using torch::Tensor;
constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

class Gpu : public testing::Test {
 protected:
  void SetUp() override {
    skip_without_gpu();
    at::manual_seed(7);
  }
  static cuda::Stream stream() { return c10::cuda::getCurrentCUDAStream(); }
};

double relative_difference(const Tensor& found, const Tensor& expected) {
  const Tensor a = found.to(torch::kCPU, torch::kFloat64),
               b = expected.to(torch::kCPU, torch::kFloat64);
  return ((a - b).norm() / b.norm().clamp_min(1e-30)).item<double>();
}

Tensor random_images(std::int64_t count, std::int64_t channels, std::int64_t side) {
  return at::randint(0, 256, {count, channels, side, side}, torch::kUInt8);
}

Trial full_width() {
  Trial trial;
  trial.loss = Loss::contrastive;
  trial.distribution_augmentation = DistributionAugmentation::rotation;
  trial.precision = Precision::bf16;
  trial.batch_size = 32;
  return trial;
}

TEST_F(Gpu, DrawsTheSameInitialValuesAsTheCpu) {
  const Trial trial = narrow(Loss::contrastive);
  Network here(trial, torch::kCPU), there(trial, kGpu);
  EXPECT_LT(relative_difference(there.flat(), here.flat()), 1e-7);
  EXPECT_TRUE(at::equal(there.statistics().cpu(), here.statistics()));
}

struct NormCase {
  std::int64_t rows, side, channels;
  at::ScalarType type;
};
class GpuNorm : public Gpu, public testing::WithParamInterface<NormCase> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, GpuNorm,
    testing::Values(NormCase{64, 32, 64, torch::kBFloat16}, NormCase{64, 4, 512, torch::kBFloat16},
                    NormCase{7, 5, 24, torch::kBFloat16}, NormCase{3, 1, 8, torch::kBFloat16},
                    NormCase{512, 16, 128, torch::kBFloat16},
                    NormCase{64, 1, 512, torch::kBFloat16}, NormCase{64, 32, 64, torch::kFloat32},
                    NormCase{7, 5, 20, torch::kFloat32}, NormCase{300, 1, 512, torch::kFloat32}));

// y = relu(bn(x) + residual) and all its gradients, against ATen's in float64.
TEST_P(GpuNorm, AgreesWithAtenForwardAndBackward) {
  const auto [n, side, channels, type] = GetParam();
  const auto element = type == torch::kBFloat16 ? cuda::Element::bfloat16 : cuda::Element::float32;
  const double tolerance = type == torch::kBFloat16 ? 6e-3 : 2e-6;
  const auto on_gpu = [&](const Tensor& t) { return t.to(kGpu, type).contiguous(kChannelsLast); };
  const auto exact = [](const Tensor& t) {
    return t.to(torch::kCPU, torch::kFloat64).contiguous();
  };
  const Tensor x = on_gpu(at::randn({n, channels, side, side}) * 2 + 3);
  const Tensor residual = on_gpu(at::randn({n, channels, side, side}));
  const Tensor a = on_gpu(at::randn({n, channels, side, side}));
  const Tensor b = on_gpu(at::randn({n, channels, side, side}));
  const Tensor gamma = (at::rand({channels}) + 0.5).to(kGpu), beta = at::randn({channels}).to(kGpu);
  const Tensor scratch =
      torch::zeros({cuda::norm_scratch_bytes(channels)}, torch::dtype(torch::kUInt8).device(kGpu));
  const cuda::NormShape shape{n * side * side, channels, element};

  for (const bool with_residual : {false, true})
    for (const bool with_b : {false, true}) {
      SCOPED_TRACE(std::to_string(with_residual) + std::to_string(with_b));
      Tensor mean = at::randn({channels}).to(kGpu),
             variance = (at::rand({channels}) + 0.5).to(kGpu);
      const Tensor mean_before = mean.clone(), variance_before = variance.clone();
      Tensor saved =
          at::full({cuda::kNormSaved * channels}, NAN, torch::dtype(torch::kFloat32).device(kGpu));
      Tensor y = at::full_like(x, NAN), dx = at::full_like(x, NAN), g = at::full_like(x, NAN);
      Tensor dgamma = at::full_like(gamma, NAN), dbeta = at::full_like(gamma, NAN);
      const cuda::NormParameters parameters{gamma.data_ptr<float>(), beta.data_ptr<float>(),
                                            mean.data_ptr<float>(), variance.data_ptr<float>()};
      if (!with_residual && shape.rows <= cuda::kNormFewRows) {
        cuda::norm_forward_few(shape, x.data_ptr(), parameters, saved.data_ptr<float>(),
                               y.data_ptr(), stream());
      } else {
        cuda::norm_statistics(shape, x.data_ptr(), parameters, saved.data_ptr<float>(),
                              scratch.data_ptr(), stream());
        cuda::norm_apply(shape, x.data_ptr(), saved.data_ptr<float>(),
                         with_residual ? residual.data_ptr() : nullptr, nullptr, true, y.data_ptr(),
                         stream());
      }
      const cuda::NormGradient gradient{
          a.data_ptr(), with_b ? b.data_ptr() : nullptr,
          with_residual ? cuda::NormGradient::Mask::y : cuda::NormGradient::Mask::x, y.data_ptr()};
      cuda::norm_backward_sums(shape, gradient, x.data_ptr(),
                               {gamma.data_ptr<float>(), saved.data_ptr<float>(),
                                dgamma.data_ptr<float>(), dbeta.data_ptr<float>()},
                               g.data_ptr(), scratch.data_ptr(), stream());
      cuda::norm_backward_apply(shape, gradient, x.data_ptr(), saved.data_ptr<float>(),
                                dx.data_ptr(), stream());

      Tensor ex = exact(x).requires_grad_(true), er = exact(residual).requires_grad_(true);
      Tensor eg = exact(gamma).requires_grad_(true), eb = exact(beta).requires_grad_(true);
      Tensor em = exact(mean_before), ev = exact(variance_before);
      Tensor before = at::batch_norm(ex, eg, eb, em, ev, true, 0.1, 1e-5, false);
      if (with_residual) before = before + er;
      const Tensor ey = before.relu();
      // Where rounding makes the sign of what goes into ReLU uncertain, take the kernel's word.
      const Tensor passes = exact(y) > 0;
      const Tensor incoming = exact(a) + (with_b ? exact(b) : at::zeros_like(ex));
      EXPECT_LT((passes != (ey > 0)).to(torch::kFloat64).mean().item<double>(), 2e-3);
      before.backward(incoming * passes);
      EXPECT_LT(relative_difference(y, ey), tolerance);
      EXPECT_LT(relative_difference(g, incoming * passes), tolerance);
      EXPECT_LT(relative_difference(dx, ex.grad()), tolerance);
      EXPECT_LT(relative_difference(dgamma, eg.grad()), tolerance);
      EXPECT_LT(relative_difference(dbeta, eb.grad()), tolerance);
      EXPECT_LT(relative_difference(mean, em), 1e-5);
      EXPECT_LT(relative_difference(variance, ev), 1e-5);
    }
}

// A batch in two halves, one a member: the same as of all rows at once, forward and backward, by
// exchange and by sums that somebody adds up.
TEST_P(GpuNorm, IsThatOfAllMembersRows) {
  const auto [n, side, channels, type] = GetParam();
  const auto element = type == torch::kBFloat16 ? cuda::Element::bfloat16 : cuda::Element::float32;
  const auto floats = torch::dtype(torch::kFloat32).device(kGpu);
  const std::int64_t rows = n * side * side;
  const Tensor x = (at::randn({2 * rows, channels}) * 2 + 3).to(kGpu, type),
               dy = at::randn({2 * rows, channels}).to(kGpu, type);
  const Tensor gamma = at::rand({channels}, floats) + 0.5, beta = at::randn({channels}, floats);
  const Tensor scratch =
      torch::zeros({cuda::norm_scratch_bytes(channels)}, torch::dtype(torch::kUInt8).device(kGpu));

  struct Made {
    Tensor saved, mean, variance, dgamma, dbeta;
  };
  const auto begun = [&] {
    return Made{torch::full({cuda::kNormSaved * channels}, NAN, floats),
                torch::ones({channels}, floats), torch::ones({channels}, floats),
                torch::full({channels}, NAN, floats), torch::full({channels}, NAN, floats)};
  };
  const auto parameters = [&](const Made& made) {
    return cuda::NormParameters{gamma.data_ptr<float>(), beta.data_ptr<float>(),
                                made.mean.data_ptr<float>(), made.variance.data_ptr<float>()};
  };
  const auto gradients = [&](const Made& made) {
    return cuda::NormGradients{gamma.data_ptr<float>(), made.saved.data_ptr<float>(),
                               made.dgamma.data_ptr<float>(), made.dbeta.data_ptr<float>()};
  };
  const auto forward = [&](const Tensor& part, const Made& made, const cuda::NormMembers& members) {
    cuda::norm_statistics({part.size(0), channels, element}, part.data_ptr(), parameters(made),
                          made.saved.data_ptr<float>(), scratch.data_ptr(), stream(), members);
  };
  const auto backward = [&](const Tensor& part, const Tensor& gradient, const Made& made,
                            const cuda::NormMembers& members) {
    cuda::norm_backward_sums({part.size(0), channels, element},
                             {gradient.data_ptr(), nullptr, cuda::NormGradient::Mask::x, nullptr},
                             part.data_ptr(), gradients(made), nullptr, scratch.data_ptr(),
                             stream(), members);
  };
  const auto expect_same = [](const Made& found, const Made& whole) {
    EXPECT_LT(relative_difference(found.saved, whole.saved), 2e-5);
    EXPECT_LT(relative_difference(found.mean, whole.mean), 1e-6);
    EXPECT_LT(relative_difference(found.variance, whole.variance), 1e-6);
    EXPECT_LT(relative_difference(found.dgamma, whole.dgamma), 2e-5);
    EXPECT_LT(relative_difference(found.dbeta, whole.dbeta), 2e-5);
  };
  const Made whole = begun();
  forward(x, whole, {});
  backward(x, dy, whole, {});

  const Tensor sums = torch::full({2, 2, 2 * channels}, NAN, floats);  // pass, member
  const auto sums_of = [&](int pass, int member) {
    return cuda::NormMembers{{}, sums[pass][member].data_ptr<float>()};
  };
  const auto half = [&](const Tensor& all, int member) {
    return all.narrow(0, member * rows, rows);
  };
  const Made added = begun();
  for (const int member : {0, 1}) forward(half(x, member), added, sums_of(0, member));
  EXPECT_TRUE(added.saved.isnan().all().item<bool>());
  cuda::norm_finish_statistics(2 * rows, channels, sums[0].sum(0).data_ptr<float>(),
                               parameters(added), added.saved.data_ptr<float>(), stream());
  for (const int member : {0, 1})
    backward(half(x, member), half(dy, member), added, sums_of(1, member));
  cuda::norm_finish_backward(2 * rows, channels, sums[1].sum(0).data_ptr<float>(), gradients(added),
                             stream());
  expect_same(added, whole);

  // Each member in turn, with what the other will have sent it in the second round.
  const auto sent = [](const Tensor& values) {
    return values.view(torch::kInt32).to(torch::kInt64).bitwise_and(0xffffffffL) +
           (std::int64_t{2} << 32);
  };
  Tensor bits;
  for (const int member : {0, 1}) {
    cuda::Exchange exchange{member, 2};
    exchange.values = 4 * channels;
    const Tensor memory = torch::zeros({2, cuda::exchange_bytes(exchange) / 8},
                                       torch::dtype(torch::kInt64).device(kGpu));
    const Tensor broken = torch::zeros({1}, torch::dtype(torch::kInt32).device(kGpu));
    for (const int rank : {0, 1})
      exchange.of_rank[rank] = static_cast<std::uint64_t*>(memory[rank].data_ptr());
    exchange.broken = broken.data_ptr<std::int32_t>();
    const auto slot = [&](int of, int from) {
      return memory[of].narrow(0, from * exchange.values, exchange.values);
    };
    slot(member, 1 - member).copy_(sent(sums.select(1, 1 - member).reshape({-1})));
    cuda::next_round(exchange, stream());
    cuda::next_round(exchange, stream());
    const Made made = begun();
    forward(half(x, member), made, {exchange});
    exchange.first = 2 * channels;
    backward(half(x, member), half(dy, member), made, {exchange});
    expect_same(made, whole);
    EXPECT_TRUE(at::equal(slot(1 - member, member), sent(sums.select(1, member).reshape({-1}))));
    if (member == 1) {
      EXPECT_TRUE(at::equal(made.saved, bits));
    }
    bits = made.saved.clone();

    // Nobody waits for a member of a broken gang.
    broken.fill_(1);
    cuda::next_round(exchange, stream());
    forward(half(x, member), made, {exchange});
    EXPECT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
  }
}

TEST_F(Gpu, NormAppliesTheShortcutsNormToTheResidual) {
  const cuda::NormShape shape{640, 64, cuda::Element::float32};
  const auto floats = torch::dtype(torch::kFloat32).device(kGpu);
  const Tensor x = at::randn({640, 64}, floats), r = at::randn({640, 64}, floats);
  Tensor saved = at::randn({7 * 64}, floats), other = at::randn({7 * 64}, floats),
         y = at::empty_like(x);
  cuda::norm_apply(shape, x.data_ptr(), saved.data_ptr<float>(), r.data_ptr(),
                   other.data_ptr<float>(), true, y.data_ptr(), stream());
  const auto line = [](const Tensor& t, int i) { return t.narrow(0, i * 64, 64); };
  EXPECT_LT(
      relative_difference(
          y, (x * line(saved, 0) + line(saved, 1) + r * line(other, 0) + line(other, 1)).relu()),
      1e-6);
}

class GpuConvolution : public Gpu, public testing::WithParamInterface<cuda::ConvolutionShape> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, GpuConvolution,
    testing::Values(
        // A tile of an image; a whole image; and of many channels, tiles of three sizes.
        cuda::ConvolutionShape{64, 32, 64, 64}, cuda::ConvolutionShape{3, 64, 64, 64},
        cuda::ConvolutionShape{1, 32, 64, 64}, cuda::ConvolutionShape{600, 32, 64, 64},
        cuda::ConvolutionShape{64, 32, 8, 64}, cuda::ConvolutionShape{3, 64, 8, 64},
        cuda::ConvolutionShape{64, 16, 128, 128}, cuda::ConvolutionShape{1, 16, 128, 128},
        cuda::ConvolutionShape{601, 16, 128, 128}, cuda::ConvolutionShape{64, 8, 256, 256},
        cuda::ConvolutionShape{64, 4, 512, 512}, cuda::ConvolutionShape{601, 4, 512, 512},
        cuda::ConvolutionShape{5, 32, 128, 128}, cuda::ConvolutionShape{601, 8, 256, 256},
        cuda::ConvolutionShape{64, 32, 64, 128, 2}, cuda::ConvolutionShape{3, 64, 64, 128, 2},
        cuda::ConvolutionShape{3, 16, 64, 128, 2}, cuda::ConvolutionShape{1, 128, 128, 128},
        cuda::ConvolutionShape{1, 256, 64, 128, 2}, cuda::ConvolutionShape{64, 16, 128, 256, 2},
        cuda::ConvolutionShape{61, 16, 128, 256, 2}, cuda::ConvolutionShape{64, 8, 256, 512, 2},
        cuda::ConvolutionShape{601, 8, 256, 512, 2},
        cuda::ConvolutionShape{64, 32, 64, 128, 2, 0, 1},
        cuda::ConvolutionShape{61, 16, 128, 256, 2, 0, 1},
        cuda::ConvolutionShape{64, 8, 256, 512, 2, 0, 1},
        // What no residual network has.
        cuda::ConvolutionShape{5, 32, 64, 128}, cuda::ConvolutionShape{9, 8, 64, 256},
        cuda::ConvolutionShape{1, 4, 512, 512}, cuda::ConvolutionShape{5, 8, 128, 128, 1, 0, 1}));

// dx again, beside the sums of the norm before: those that the norm's own kernel takes of dx.
void expect_sums_of_norm_before(const cuda::ConvolutionShape& shape, const Tensor& dy,
                                const Tensor& weights, const Tensor& dx,
                                const cuda::NormWorkSpace& room, cuda::Stream stream) {
  const auto floats = torch::dtype(torch::kFloat32).device(kGpu);
  const Tensor x = at::randn_like(dx), again = at::full_like(dx, NAN),
               gamma = at::randn({shape.channels}, floats),
               kept = at::randn({cuda::kNormSaved, shape.channels}, floats),
               scratch = torch::zeros({cuda::norm_scratch_bytes(shape.channels)},
                                      torch::dtype(torch::kUInt8).device(kGpu));
  struct Made {
    Tensor saved, of_gamma, of_beta;
  };
  const auto begun = [&] {
    return Made{kept.clone(), at::full_like(gamma, NAN), at::full_like(gamma, NAN)};
  };
  const auto gradients = [&](const Made& made) {
    return cuda::NormGradients{gamma.data_ptr<float>(), made.saved.data_ptr<float>(),
                               made.of_gamma.data_ptr<float>(), made.of_beta.data_ptr<float>()};
  };
  const Made found = begun(), wanted = begun();
  cuda::convolve_backward_input(shape, dy.data_ptr(), weights.data_ptr(), again.data_ptr(),
                                {x.data_ptr(), gradients(found), room}, stream);
  cuda::norm_backward_sums({dx.numel() / shape.channels, shape.channels, cuda::Element::bfloat16},
                           {dx.data_ptr(), nullptr, cuda::NormGradient::Mask::x, nullptr},
                           x.data_ptr(), gradients(wanted), nullptr, scratch.data_ptr(), stream);
  EXPECT_TRUE(at::equal(again, dx));
  EXPECT_LT(relative_difference(found.of_gamma, wanted.of_gamma), 1e-4);
  EXPECT_LT(relative_difference(found.of_beta, wanted.of_beta), 1e-4);
  EXPECT_TRUE(at::equal(found.saved.narrow(0, 0, 4), kept.narrow(0, 0, 4)));
  for (const int row : {4, 5, 6})
    EXPECT_LT(relative_difference(found.saved[row], wanted.saved[row]), 1e-4);
}

// Forward, and the gradients, against ATen's in float64, on whatever lay in the memory before.
TEST_P(GpuConvolution, AgreesWithAten) {
  cuda::ConvolutionShape shape = GetParam();
  const auto on_gpu = [](const Tensor& t) {
    return t.to(kGpu, torch::kBFloat16).contiguous(kChannelsLast);
  };
  const bool has_dx = shape.channels > 8, has_dw = cuda::has_weight_gradient(shape);
  const std::int64_t side = shape.side / shape.stride;
  // Of 1 x 1 the pixels that it reads.
  const std::int64_t apart = shape.kernel == 1 ? shape.stride : 1, dx_side = shape.side / apart;
  const Tensor x = on_gpu(at::randn({shape.images, shape.channels, shape.side, shape.side}));
  const Tensor weights =
      on_gpu(at::randn({shape.outputs, shape.channels, shape.kernel, shape.kernel}) / 24);
  const Tensor dy = on_gpu(at::randn({shape.images, shape.outputs, side, side}));
  const auto exact = [](const Tensor& t) { return t.to(torch::kFloat64).contiguous(); };
  const std::array<std::int64_t, 2> stride{shape.stride, shape.stride},
      padding{shape.kernel / 2, shape.kernel / 2};
  const auto [ex, ew, none] = at::convolution_backward(
      exact(dy), exact(x), exact(weights), c10::nullopt, stride, padding, at::IntArrayRef{1, 1},
      false, at::IntArrayRef{0, 0}, 1, {true, true, false});
  const Tensor ey = at::conv2d(exact(x), exact(weights), {}, stride, padding);
  for (const int processors : {132, 36, 32, 8, 1}) {
    shape.processors = processors;
    Tensor y = at::full_like(dy, NAN),
           dx = on_gpu(at::full({shape.images, shape.channels, dx_side, dx_side}, NAN)),
           dw = at::full_like(weights, NAN);
    const auto floats = torch::dtype(torch::kFloat32).device(kGpu);
    const Tensor gamma = at::randn({shape.outputs}, floats),
                 beta = at::randn({shape.outputs}, floats);
    // Near the mean, as in a training: sums about what is far from it lose digits.
    const Tensor mean = 0.1 * at::randn({shape.outputs}, floats), before = mean.clone(),
                 variance = at::ones({shape.outputs}, floats);
    const Tensor saved = at::full({cuda::kNormSaved, shape.outputs}, NAN, floats);
    const std::int64_t most = std::max(shape.channels, shape.outputs);
    const Tensor parts = at::full({processors, 2, most}, NAN, floats);
    const Tensor scratch =
        torch::zeros({cuda::norm_scratch_bytes(most)}, torch::dtype(torch::kUInt8).device(kGpu));
    const cuda::NormWorkSpace work_space{parts.data_ptr<float>(),
                                         cuda::norm_counters(scratch.data_ptr())};
    cuda::convolve(shape, x.data_ptr(), weights.data_ptr(), y.data_ptr(),
                   {{gamma.data_ptr<float>(), beta.data_ptr<float>(), mean.data_ptr<float>(),
                     variance.data_ptr<float>()},
                    saved.data_ptr<float>(),
                    work_space},
                   stream());
    const auto [of_variance, of_mean] =
        at::var_mean(exact(y), at::IntArrayRef{0, 2, 3}, /*unbiased=*/false);
    const Tensor inverse = (of_variance + 1e-5).rsqrt(), scale = exact(gamma) * inverse;
    EXPECT_LT(
        relative_difference(saved.narrow(0, 0, 4),
                            at::stack({scale, exact(beta) - of_mean * scale, of_mean, inverse})),
        1e-4);
    EXPECT_LT(relative_difference(mean, 0.9 * exact(before) + 0.1 * of_mean), 1e-4);
    const double pixels = static_cast<double>(y.numel() / shape.outputs);
    EXPECT_LT(relative_difference(variance, 0.9 + 0.1 * of_variance * pixels / (pixels - 1)), 1e-4);
    if (has_dx)
      cuda::convolve_backward_input(shape, dy.data_ptr(), weights.data_ptr(), dx.data_ptr(), {},
                                    stream());
    if (has_dx && shape.stride == 1)
      expect_sums_of_norm_before(shape, dy, weights, dx, work_space, stream());
    EXPECT_FALSE(scratch.any().item<bool>());
    if (has_dw) {
      const Tensor room = at::full({cuda::convolution_scratch_bytes(shape) / 4}, NAN, floats);
      cuda::convolve_backward_weights(shape, dy.data_ptr(), x.data_ptr(), dw.data_ptr(),
                                      room.data_ptr(), stream());
    }
    EXPECT_LT(relative_difference(y, ey), 3e-3);
    if (has_dx) {
      EXPECT_LT(relative_difference(dx, ex.slice(2, 0, {}, apart).slice(3, 0, {}, apart)), 3e-3);
    }
    if (has_dw) {
      EXPECT_LT(relative_difference(dw, ew), 3e-3);
    }
  }
}

struct DenseCase {
  std::int64_t rows, inputs, outputs, next;
};
class GpuDense : public Gpu, public testing::WithParamInterface<DenseCase> {};
INSTANTIATE_TEST_SUITE_P(Shapes, GpuDense,
                         testing::Values(DenseCase{64, 512, 512, 512}, DenseCase{40, 1024, 64, 128},
                                         DenseCase{128, 512, 512, 128},
                                         DenseCase{256, 512, 512, 512}, DenseCase{2, 64, 64, 64}));

// relu(bn(x w^T)) and all its gradients, from those of a product behind it, against float64.
TEST_P(GpuDense, AgreesWithAtenForwardAndBackward) {
  const auto [rows, inputs, outputs, next] = GetParam();
  const auto on_gpu = [](const Tensor& t) { return t.to(kGpu, torch::kBFloat16); };
  const auto exact = [](const Tensor& t) { return t.to(torch::kCPU, torch::kFloat64); };
  const Tensor x = on_gpu(at::randn({rows, inputs})),
               weight = on_gpu(at::randn({outputs, inputs}) / 20);
  const Tensor behind = on_gpu(at::randn({rows, next}));
  const Tensor next_weight = on_gpu(at::randn({next, outputs}) / 20);
  const Tensor gamma = (at::rand({outputs}) + 0.5).to(kGpu), beta = at::randn({outputs}).to(kGpu);
  Tensor mean = at::randn({outputs}).to(kGpu), variance = (at::rand({outputs}) + 0.5).to(kGpu);
  Tensor em = exact(mean), ev = exact(variance);
  const auto floats = torch::dtype(torch::kFloat32).device(kGpu);
  Tensor saved = at::full({cuda::kNormSaved * outputs}, NAN, floats);
  Tensor z = at::full({rows, outputs}, NAN, x.options()), y = at::full_like(z, NAN),
         dz = at::full_like(z, NAN), dw = at::full_like(weight, NAN);
  Tensor dgamma = at::full_like(gamma, NAN), dbeta = at::full_like(gamma, NAN);
  const cuda::DenseShape shape{rows, inputs, outputs};
  ASSERT_TRUE(cuda::is_dense(shape, 227 << 10));
  cuda::dense_forward(shape, x.data_ptr(), weight.data_ptr(),
                      {gamma.data_ptr<float>(), beta.data_ptr<float>(), mean.data_ptr<float>(),
                       variance.data_ptr<float>()},
                      saved.data_ptr<float>(), z.data_ptr(), y.data_ptr(), stream());
  cuda::dense_backward(shape, {behind.data_ptr(), next_weight.data_ptr(), next}, x.data_ptr(),
                       z.data_ptr(), gamma.data_ptr<float>(), saved.data_ptr<float>(),
                       dz.data_ptr(), dw.data_ptr(), dgamma.data_ptr<float>(),
                       dbeta.data_ptr<float>(), stream());

  EXPECT_LT(relative_difference(z, exact(x).mm(exact(weight).t())), 3e-3);
  Tensor ez = exact(z).requires_grad_(true), eg = exact(gamma).requires_grad_(true),
         eb = exact(beta).requires_grad_(true);
  const Tensor before = at::batch_norm(ez, eg, eb, em, ev, true, 0.1, 1e-5, false);
  const Tensor passes = exact(y) > 0;
  EXPECT_LT((passes != (before > 0)).to(torch::kFloat64).mean().item<double>(), 2e-3);
  before.backward(exact(behind).mm(exact(next_weight)) * passes);
  EXPECT_LT(relative_difference(y, before.relu()), 3e-3);
  EXPECT_LT(relative_difference(dz, ez.grad()),
            rows > 2 ? 3e-3 : 1);  // of two rows nothing is left
  EXPECT_LT(relative_difference(dgamma, eg.grad()), 1e-4);
  EXPECT_LT(relative_difference(dbeta, eb.grad()), 1e-4);
  EXPECT_LT(relative_difference(dw, exact(dz).t().mm(exact(x))), 3e-3);
  EXPECT_LT(relative_difference(mean, em), 1e-5);
  EXPECT_LT(relative_difference(variance, ev), 1e-5);
}

struct AugmentCase {
  std::string augmentations;
  Loss loss;
  DistributionAugmentation copies;
  std::int64_t channels, side;
};
class GpuAugment : public Gpu, public testing::WithParamInterface<AugmentCase> {};
INSTANTIATE_TEST_SUITE_P(
    Sets, GpuAugment,
    testing::Values(AugmentCase{"cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2",
                                Loss::contrastive, DistributionAugmentation::rotation, 1, 32},
                    AugmentCase{"cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2",
                                Loss::contrastive, DistributionAugmentation::k8, 3, 32},
                    AugmentCase{"cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2+blur0.5",
                                Loss::rotation, DistributionAugmentation::none, 3, 64},
                    AugmentCase{"cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2",
                                Loss::contrastive, DistributionAugmentation::none, 3, 64},
                    AugmentCase{"hflip+blur1+cnr0.3", Loss::contrastive,
                                DistributionAugmentation::vflip, 3, 32},
                    AugmentCase{"shift+rotate90+vflip+jitter_b0.4_c0.4_s0.4_h0.4_shuffled",
                                Loss::contrastive, DistributionAugmentation::none, 3, 32},
                    AugmentCase{"rotate270+cnr0.5+shift+blur1", Loss::rotation,
                                DistributionAugmentation::none, 1, 32},
                    AugmentCase{"none", Loss::rotation, DistributionAugmentation::none, 1, 32}));

// Through a captured step, whose input buffer is what the CPU's Augmenter makes.
TEST_P(GpuAugment, MakesTheCpusViews) {
  const AugmentCase& one = GetParam();
  Trial trial = narrow(one.loss);
  trial.augmentations = AugmentationSet(one.augmentations);
  trial.distribution_augmentation = one.copies;
  trial.seed = 5;
  const Tensor images = random_images(20, one.channels, one.side);
  const Augmenter augmenter(trial, images);
  const cuda::AugmentPlan plan =
      augment_plan(trial, static_cast<int>(one.side), static_cast<int>(one.channels),
                   share_of(trial.batch_size, nullptr));
  const std::int64_t batch = trial.batch_size;
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 2 * batch; ++i) rows.push_back((i * 7 + 3) % augmenter.rows());
  const std::vector<std::int32_t> small(rows.begin(), rows.end());
  const Tensor order = torch::tensor(small, torch::kInt32).to(kGpu), bytes = images.to(kGpu);
  cuda::StepState state;
  state.images = bytes.const_data_ptr<std::uint8_t>();
  state.order = order.const_data_ptr<std::int32_t>();
  state.image_count = 20;
  state.seed = 5;
  state.epoch = 3;
  state.index = 1;
  const JitterOrders orders = jitter_orders(5);
  for (int view = 0; view < 4; ++view)
    for (int i = 0; i < 4; ++i)
      state.jitter_order[view][i] = static_cast<std::uint8_t>(orders[view][i]);
  Tensor there = torch::zeros({static_cast<std::int64_t>(sizeof state)},
                              torch::dtype(torch::kUInt8).device(kGpu));
  cudaMemcpyAsync(there.data_ptr(), &state, sizeof state, cudaMemcpyHostToDevice, stream());
  Tensor out = at::full({plan.views * batch, one.side, one.side, cuda::kInputChannels}, NAN,
                        torch::dtype(torch::kFloat32).device(kGpu));
  cuda::augment(plan, static_cast<const cuda::StepState*>(there.data_ptr()), out.data_ptr(),
                cuda::Element::float32, stream());
  const Tensor found = out.cpu().permute({0, 3, 1, 2});
  EXPECT_EQ(found.narrow(1, 3, 5).abs().max().item<float>(), 0);
  for (int view = 0; view < plan.views; ++view) {
    const Tensor expected =
        augmenter.view(rows.data() + batch, batch, 3, static_cast<std::uint32_t>(view),
                       trial.loss == Loss::rotation ? view : 0);
    const Tensor difference =
        (found.narrow(0, view * batch, batch).narrow(1, 0, 3) - expected).abs();
    // A hue on the border of two sectors may fall to either side.
    EXPECT_LT(difference.max().item<float>(), 2e-3) << view;
    EXPECT_LT(difference.mean().item<float>(), 1e-6) << view;
  }
}

struct Ran {
  Tensor weights, statistics;
  double loss, accuracy;
};
Ran run(TrainingStep& step, const Trial& trial, const Tensor& images, std::int64_t steps) {
  step.begin(trial, images, {});
  step.begin_epoch(0, 0, trial.learning_rate);
  for (std::int64_t i = 0; i < steps; ++i) step.run();
  const auto [loss, accuracy] = step.sums();
  return {step.network()->flat().cpu(), step.network()->statistics().cpu(), loss, accuracy};
}
Ran run(std::unique_ptr<TrainingStep> step, const Trial& trial, const Tensor& images,
        std::int64_t steps) {
  return run(*step, trial, images, steps);
}
Ran run(const Trial& trial, const Tensor& images, torch::Device device, std::int64_t steps) {
  Bench bench(device);
  bench.enter_training();
  return run(bench.step(trial, images), trial, images, steps);
}

class GpuStep : public Gpu, public testing::WithParamInterface<Loss> {};
INSTANTIATE_TEST_SUITE_P(Losses, GpuStep, testing::ValuesIn(every_loss()), loss_name);

// As near to the CPU's step as ATen's own operations on the same GPU are. Sums in another order
// decide some ReLU the other way, in one program or the other: that makes some 0.3 % of an update,
// which InfoNCE and momentum enlarge. So single steps have a bound, and all cases together are
// compared with ATen's.
TEST_P(GpuStep, InFp32IsTheCpusStep) {
  const Bench bench(kGpu);
  bench.enter_training();
  double more = 0;
  int cases = 0;
  for (const std::int64_t layers : {0, 1, 3})
    for (const std::int64_t depth : {10, 18})
      for (const int steps : {1, 3}) {
        SCOPED_TRACE(std::to_string(layers) + " layers, depth " + std::to_string(depth) + ", " +
                     std::to_string(steps) + " steps");
        Trial trial = narrow(GetParam());
        trial.head_layers = layers;
        // What lies behind a bias of 50 values has no place that is good for four at once.
        if (layers == 1 && GetParam() == Loss::rotation) trial.head_width = 50;
        trial.depth = depth;
        trial.distribution_augmentation = DistributionAugmentation::rotation;
        const Tensor images = random_images(40, 3, 32);
        const Ran here = run(make_eager_step(trial, torch::kCPU), trial, images, steps);
        const Ran eager = run(make_eager_step(trial, kGpu), trial, images, steps);
        const Ran captured = run(make_captured_step(trial, images, kGpu), trial, images, steps);
        const Tensor start = Network(trial, torch::kCPU).flat();
        const double noise = relative_difference(eager.weights - start, here.weights - start);
        const double error = relative_difference(captured.weights - start, here.weights - start);
        std::cout << "noise " << noise << " error " << error << "\n";
        constexpr double kReluDecided = 3e-3;
        more += std::log((error + kReluDecided) / (noise + kReluDecided));
        ++cases;
        if (steps > 1) continue;
        EXPECT_LT(error, std::max(2e-2, 2 * noise));
        EXPECT_LT(relative_difference(captured.statistics, here.statistics), 1e-4);
        EXPECT_NEAR(captured.loss, here.loss, 1e-4 * here.loss);
      }
  EXPECT_LT(std::exp(more / cases), 5);
}

// No further from fp32 than ATen's autocast is.
TEST_P(GpuStep, InBf16IsAsNearToFp32AsAutocast) {
  const Bench bench(kGpu);
  bench.enter_training();
  Trial trial = narrow(GetParam());
  const Tensor images = random_images(64, 1, 32);
  const Ran exact = run(make_eager_step(trial, kGpu), trial, images, 1);
  trial.precision = Precision::bf16;
  const Ran eager = run(make_eager_step(trial, kGpu), trial, images, 1);
  const Ran captured = run(make_captured_step(trial, images, kGpu), trial, images, 1);
  const Tensor start = Network(trial, torch::kCPU).flat();
  const double noise = relative_difference(eager.weights - start, exact.weights - start);
  const double error = relative_difference(captured.weights - start, exact.weights - start);
  std::cout << "autocast " << noise << " ours " << error << "\n";
  EXPECT_LT(error, 1.3 * noise);
  EXPECT_NEAR(captured.loss, exact.loss, 0.02 * exact.loss);
}

TEST_F(Gpu, Fp32IsNotTf32) {
  const PrecisionScope scope(Precision::fp32);
  const Tensor x = at::randn({8, 64, 16, 16}), w = at::randn({64, 64, 3, 3});
  const Tensor exact = at::conv2d(x.to(torch::kFloat64), w.to(torch::kFloat64), {}, 1, 1);
  EXPECT_LT(relative_difference(at::conv2d(x.to(kGpu), w.to(kGpu), {}, 1, 1), exact), 5e-6);
  EXPECT_LT(relative_difference(at::conv2d(x, w, {}, 1, 1), exact), 5e-6) << "on the CPU";
  const Tensor a = at::randn({512, 512});
  const Tensor product = at::mm(a.to(torch::kFloat64), a.to(torch::kFloat64));
  EXPECT_LT(relative_difference(at::mm(a.to(kGpu), a.to(kGpu)), product), 5e-6);
}

TEST_P(GpuStep, RunsAnotherTrialOfItsKindAsANewOneWould) {
  const Tensor images = random_images(64, 3, 32), others = random_images(50, 3, 32);
  const Trial first = narrow(GetParam());
  Trial second = first;
  second.seed = 9;
  second.learning_rate = 0.02;
  set_deterministic();
  Bench bench(kGpu);
  bench.enter_training();
  TrainingStep& step = bench.step(first, images);
  step.begin(first, images, {});
  step.begin_epoch(0, 0, 0.1);
  for (int i = 0; i < 3; ++i) step.run();
  ASSERT_TRUE(bench.is_warm(second));
  step.begin(second, others, {});
  step.begin_epoch(0, 0, second.learning_rate);
  for (int i = 0; i < 3; ++i) step.run();
  const double loss = step.sums().first;
  const Ran fresh = run(second, others, kGpu, 3);
  EXPECT_EQ(loss, fresh.loss);
  EXPECT_TRUE(at::equal(step.network()->flat().cpu(), fresh.weights));
  EXPECT_TRUE(at::equal(step.network()->statistics().cpu(), fresh.statistics));
}

TEST_P(GpuStep, ResumedIsUndisturbedAndPackedIsAlone) {
  set_deterministic();
  Trial trial = narrow(GetParam());
  trial.precision = Precision::bf16;
  const Tensor images = random_images(200, 1, 32);
  const Ran alone = run(trial, images, kGpu, 10);

  Bench bench(kGpu);
  bench.enter_training();
  TrainingStep& step = bench.step(trial, images);
  step.begin(trial, images, {});
  step.begin_epoch(0, 0, trial.learning_rate);
  for (int i = 0; i < 4; ++i) step.run();
  const TrainingState middle = step.state(4);
  step.begin(trial, images, middle);
  step.begin_epoch(0, 4, trial.learning_rate);
  for (int i = 4; i < 10; ++i) step.run();
  EXPECT_EQ(step.sums().first, alone.loss);
  EXPECT_TRUE(at::equal(step.network()->flat().cpu(), alone.weights));
  EXPECT_TRUE(at::equal(step.network()->statistics().cpu(), alone.statistics));

  std::vector<std::thread> threads;
  std::vector<Ran> packed(6);
  for (int slot = 0; slot < 6; ++slot)
    threads.emplace_back([&, slot] {
      Trial mine = trial;
      mine.seed = 1 + slot % 2;
      packed[static_cast<std::size_t>(slot)] = run(mine, images, kGpu, 10);
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t slot = 0; slot < 6; slot += 2) {
    EXPECT_TRUE(at::equal(packed[slot].weights, alone.weights)) << slot;
    EXPECT_TRUE(at::equal(packed[slot].statistics, alone.statistics)) << slot;
    EXPECT_FALSE(at::equal(packed[slot + 1].weights, alone.weights)) << slot;
  }
}

// What differs, by the parameters' numbers in the network, or its running statistics.
std::string differing(const Trial& trial, const Ran& a, const Ran& b) {
  std::string list;
  const Network network(trial, torch::kCPU);
  std::int64_t begin = 0, number = 0;
  for (const auto& parameter : network.parameters()) {
    const std::int64_t count = parameter.value.numel();
    if (!at::equal(a.weights.narrow(0, begin, count), b.weights.narrow(0, begin, count)))
      list += " " + std::to_string(number);
    begin += count, ++number;
  }
  return list + (at::equal(a.statistics, b.statistics) ? "" : " statistics");
}

// The kernels for networks of full width, too: run again, on a warm bench, beside others.
TEST_F(Gpu, AtFullWidthDeterministicIsTheSameBits) {
  set_deterministic();
  const Trial trial = full_width();
  const Tensor images = random_images(8000, 1, 32);  // 1,000 steps an epoch
  for (const std::int64_t steps : {1, 40, 1000}) {
    SCOPED_TRACE(std::to_string(steps) + " steps");
    const Ran alone = run(trial, images, kGpu, steps);
    EXPECT_EQ(differing(trial, run(trial, images, kGpu, steps), alone), "") << "again";
    {
      Bench bench(kGpu);
      bench.enter_training();
      TrainingStep& step = bench.step(trial, images);
      Trial other = trial;
      other.seed = 7;
      run(step, other, random_images(8000, 1, 32), 5);
      EXPECT_EQ(differing(trial, run(step, trial, images, steps), alone), "") << "on a warm bench";
    }
    std::vector<std::thread> threads;
    std::vector<Ran> packed(6);
    for (int slot = 0; slot < 6; ++slot)
      threads.emplace_back([&, slot] {
        Trial mine = trial;
        mine.seed = 1 + slot % 2;
        packed[static_cast<std::size_t>(slot)] = run(mine, images, kGpu, steps);
      });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t slot = 0; slot < 6; slot += 2)
      EXPECT_EQ(differing(trial, packed[slot], alone), "") << "packed, slot " << slot;
  }
}

TEST_F(Gpu, FirstPartHasWhatTheDivisionLeaves) {
  const int all = cuda::processors(cuda::part_stream({}));
  for (const int of : {2, 4}) {
    const int first = cuda::processors(cuda::part_stream({0, of}));
    const int other = cuda::processors(cuda::part_stream({1, of}));
    EXPECT_EQ(other % 8, 0);
    const int rest = all - of * other;
    EXPECT_EQ(first, rest <= other / 3 ? other + rest : other) << of;
    for (int i = 2; i < of; ++i) EXPECT_EQ(cuda::processors(cuda::part_stream({i, of})), other);
  }
}

// As a worker of eight slots does: two trials on each quarter, of which some train while others'
// steps are still made.
TEST_F(Gpu, OnPartsTrialsDoNotDisturbEachOther) {
  set_deterministic();
  const Trial trial = full_width();
  const Tensor images = random_images(3200, 1, 32);  // 400 steps an epoch
  constexpr int kSlots = 8, kParts = 4;
  std::vector<std::thread> threads;
  std::vector<Ran> ran(kSlots);
  std::vector<std::string> problems(kSlots);
  for (int slot = 0; slot < kSlots; ++slot)
    threads.emplace_back([&, slot] {
      const auto i = static_cast<std::size_t>(slot);
      try {
        Bench bench(kGpu, {slot % kParts, kParts});
        bench.enter_training();
        ran[i] = run(bench.step(trial, images), trial, images, 300 + 10 * (kSlots - slot));
        ran[i] = run(bench.step(trial, images), trial, images, 40);
      } catch (const std::exception& problem) {
        problems[i] = problem.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  // The first quarter is larger, with algorithms and sums of its own.
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    ASSERT_EQ(problems[slot], "") << slot;
    EXPECT_EQ(differing(trial, ran[slot], ran[slot % kParts == 0 ? 0 : 1]), "") << slot;
  }
}

}  // namespace
}  // namespace occam
#endif
