// The convolutions' kernels against their definition, for a source that has included them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/kernels/numbers.h"
#include "worker/cuda/convolution.h"

// In the kernels' namespace, which a test may have renamed.
namespace occam::cuda {

// side x side images, zero outside.
struct Pixels {
  const Halves& all;
  int side, channels;
  double at(int image, int row, int column, int channel) const {
    if (row < 0 || column < 0 || row >= side || column >= side) return 0;
    return value(
        all[static_cast<std::size_t>(((image * side + row) * side + column) * channels + channel)]);
  }
};

// A convolution's gradient of x, with the sums of the norm whose ReLU made x: dx is what it is
// without, and the sums are theirs.
inline void check_norm_before(const ConvolutionShape& shape, const Halves& dy, const Halves& w,
                              const Halves& dx) {
  Numbers numbers(11);
  const auto depth = static_cast<std::size_t>(shape.channels);
  const Halves x = numbers.halves(dx.size(), 1);
  Halves again(dx.size());
  std::vector<float> gamma(depth), saved(kNormSaved * depth, NAN), of_gamma(depth, NAN),
      of_beta(depth, NAN), parts(static_cast<std::size_t>(shape.processors) * 2 * depth, NAN);
  for (float& one : gamma) one = numbers.next();
  for (std::size_t i = 0; i < 4 * depth; ++i) saved[i] = numbers.next();
  std::vector<unsigned> done(depth);
  convolve_backward_input(shape, dy.data(), w.data(), again.data(),
                          {x.data(),
                           {gamma.data(), saved.data(), of_gamma.data(), of_beta.data()},
                           {parts.data(), done.data()}},
                          nullptr);
  EXPECT_EQ(done, std::vector<unsigned>(depth));
  EXPECT_TRUE(std::memcmp(again.data(), dx.data(), dx.size() * sizeof dx[0]) == 0);
  Difference of_sums, of_coefficients;
  for (std::size_t channel = 0; channel < depth; ++channel) {
    const double rows = static_cast<double>(dx.size() / depth), scale = saved[channel],
                 mean = saved[2 * depth + channel], inverse = saved[3 * depth + channel];
    double sum = 0, product = 0;
    for (std::size_t i = channel; i < dx.size(); i += depth) {
      const auto one = static_cast<float>(value(x[i]));
      if (!(std::fma(one, static_cast<float>(scale), saved[depth + channel]) > 0)) continue;
      sum += value(dx[i]);
      product += value(dx[i]) * (one - mean);
    }
    of_sums.add(of_beta[channel], sum);
    of_sums.add(of_gamma[channel], product * inverse);
    const double slope = -gamma[channel] * inverse * inverse * product * inverse / rows;
    of_coefficients.add(saved[4 * depth + channel], gamma[channel] * inverse);
    of_coefficients.add(saved[5 * depth + channel], slope);
    of_coefficients.add(saved[6 * depth + channel],
                        -gamma[channel] * inverse * sum / rows - slope * mean);
  }
  EXPECT_LT(of_sums.relative(), 1e-5);
  EXPECT_LT(of_coefficients.relative(), 1e-5);
}

inline std::string name_of(const ConvolutionShape& shape) {
  return "side " + std::to_string(shape.side) + ", outputs " + std::to_string(shape.outputs);
}

inline void check_convolutions(const ConvolutionShape& shape) {
  SCOPED_TRACE(name_of(shape));
  Numbers numbers(7);
  const auto images = static_cast<int>(shape.images), side = static_cast<int>(shape.side),
             channels = static_cast<int>(shape.channels), outs = static_cast<int>(shape.outputs),
             stride = shape.stride, kernel = shape.kernel, shifts = kernel * kernel,
             out_side = side / stride;
  // Of 1 x 1 the pixels that it reads.
  const int dx_side = kernel == 1 ? out_side : side, apart = side / dx_side;
  const bool has_dx = channels > 8, has_dw = has_weight_gradient(shape);
  const auto width = static_cast<std::size_t>(outs), depth = static_cast<std::size_t>(channels);
  const auto count = static_cast<std::size_t>(images * out_side * out_side) * width;
  const Halves x = numbers.halves(static_cast<std::size_t>(images * side * side) * depth, 1),
               w = numbers.halves(width * static_cast<std::size_t>(shifts) * depth, 0.05F),
               dy = numbers.halves(count, 1);
  const auto weight = [&](int out, int shift, int in) {
    return value(w[static_cast<std::size_t>((out * shifts + shift) * channels + in)]);
  };
  Halves y(count), dx(x.size()), dw(w.size());
  std::vector<float> gamma(width), beta(width), mean(width), variance(width, 1),
      saved(kNormSaved * width, NAN),
      parts(static_cast<std::size_t>(shape.processors) * 2 * std::max(width, depth), NAN);
  for (auto* some : {&gamma, &beta, &mean})
    for (float& one : *some) one = numbers.next();
  const std::vector<float> before = mean;
  std::vector<unsigned> done(std::max(width, depth));
  const NormWorkSpace room{parts.data(), done.data()};
  convolve(shape, x.data(), w.data(), y.data(),
           {{gamma.data(), beta.data(), mean.data(), variance.data()}, saved.data(), room},
           nullptr);
  EXPECT_EQ(done, std::vector<unsigned>(done.size()));
  if (has_dx) convolve_backward_input(shape, dy.data(), w.data(), dx.data(), {}, nullptr);
  if (has_dx && stride == 1) check_norm_before(shape, dy, w, dx);
  if (has_dw) {
    std::vector<float> scratch(
        static_cast<std::size_t>(convolution_scratch_bytes(shape)) / sizeof(float), NAN);
    convolve_backward_weights(shape, dy.data(), x.data(), dw.data(), scratch.data(), nullptr);
  }

  Difference of_y, of_dx, of_dw, of_statistics;
  const Pixels in{x, side, channels}, out{y, out_side, outs}, back{dx, dx_side, channels},
      from{dy, out_side, outs};
  const auto below = [&](int most) {
    return static_cast<int>(numbers.below(static_cast<std::size_t>(most)));
  };
  for (int i = 0; i < 3000; ++i) {
    // Many at the border.
    const auto place = [&](int most, int at_border) {
      return i % at_border == 0 ? below(2) * (most - 1) : below(most);
    };
    const int image = below(images), made = below(outs);
    int row = place(out_side, 5), column = place(out_side, 7);
    double forward = 0, backward = 0;
    for (int shift = 0; shift < shifts; ++shift)
      for (int k = 0; k < channels; ++k)
        forward += in.at(image, row * stride + shift / kernel - kernel / 2,
                         column * stride + shift % kernel - kernel / 2, k) *
                   weight(made, shift, k);
    of_y.add(out.at(image, row, column, made), forward);
    if (!has_dx) continue;
    const int channel = below(channels);
    row = place(dx_side, 5), column = place(dx_side, 7);
    for (int shift = 0; shift < shifts; ++shift) {
      const int down = row * apart + kernel / 2 - shift / kernel,
                right = column * apart + kernel / 2 - shift % kernel;
      if (down % stride != 0 || right % stride != 0) continue;
      for (int k = 0; k < outs; ++k)
        backward += from.at(image, down / stride, right / stride, k) * weight(k, shift, channel);
    }
    of_dx.add(back.at(image, row, column, channel), backward);
  }
  for (int i = 0; has_dw && i < 100; ++i) {
    const int output = below(outs), input = below(channels), shift = i % shifts;
    double sum = 0;
    for (int image = 0; image < images; ++image)
      for (int row = 0; row < out_side; ++row)
        for (int column = 0; column < out_side; ++column)
          sum += from.at(image, row, column, output) *
                 in.at(image, row * stride + shift / kernel - kernel / 2,
                       column * stride + shift % kernel - kernel / 2, input);
    of_dw.add(value(dw[static_cast<std::size_t>((output * shifts + shift) * channels + input)]),
              sum);
  }
  for (std::size_t channel = 0; channel < width; ++channel) {
    const double rows = static_cast<double>(count / width);
    double sum = 0, square = 0;
    for (std::size_t i = channel; i < count; i += width) sum += value(y[i]);
    for (std::size_t i = channel; i < count; i += width)
      square += std::pow(value(y[i]) - sum / rows, 2);
    const double inverse = 1 / std::sqrt(square / rows + 1e-5), scale = gamma[channel] * inverse;
    of_statistics.add(saved[channel], scale);
    of_statistics.add(saved[width + channel], beta[channel] - sum / rows * scale);
    of_statistics.add(saved[2 * width + channel], sum / rows);
    of_statistics.add(saved[3 * width + channel], inverse);
    of_statistics.add(mean[channel], 0.9 * before[channel] + 0.1 * sum / rows);
    of_statistics.add(variance[channel], 0.9 + 0.1 * square / (rows - 1));
  }
  EXPECT_LT(of_y.relative(), kRounding);
  if (has_dx) {
    EXPECT_LT(of_dx.relative(), kRounding);
  }
  if (has_dw) {
    EXPECT_LT(of_dw.relative(), kRounding);
  }
  EXPECT_LT(of_statistics.relative(), 1e-5);
}

// A batch in two halves, one a member of a gang: the norms have what they have of all images at
// once, by sums that each leaves for who adds them up, and by those that the members exchange.
inline void check_members(const ConvolutionShape& half) {
  SCOPED_TRACE(name_of(half));
  Numbers numbers(5);
  const auto channels = static_cast<std::size_t>(half.channels),
             outputs = static_cast<std::size_t>(half.outputs),
             pixels = static_cast<std::size_t>(half.images * half.side * half.side);
  const Halves x = numbers.halves(2 * pixels * channels, 1),
               to_norm = numbers.halves(2 * pixels * channels, 1),
               dy = numbers.halves(2 * pixels * outputs, 1),
               w = numbers.halves(outputs * 9 * channels, 0.05F);
  const std::vector<float> gamma = numbers.of<float>(std::max(channels, outputs), 1),
                           beta = numbers.of<float>(outputs, 1),
                           kept = numbers.of<float>(4 * channels, 1);
  struct Made {
    std::vector<float> mean, variance, saved, before, of_gamma, of_beta;
  };
  const auto run = [&](std::int64_t images, std::size_t member, const NormMembers& forward,
                       const NormMembers& backward) {
    ConvolutionShape shape = half;
    shape.images = images;
    const std::size_t first = member * pixels;
    Made made{std::vector<float>(outputs, 0.5F),
              std::vector<float>(outputs, 1),
              std::vector<float>(kNormSaved * outputs, NAN),
              kept,
              std::vector<float>(channels, NAN),
              std::vector<float>(channels, NAN)};
    made.before.resize(kNormSaved * channels, NAN);
    Halves y(dy.size()), dx(x.size());
    std::vector<float> parts(static_cast<std::size_t>(shape.processors) * 2 * gamma.size(), NAN);
    std::vector<unsigned> done(gamma.size());
    const NormWorkSpace room{parts.data(), done.data()};
    convolve(shape, x.data() + first * channels, w.data(), y.data(),
             {{gamma.data(), beta.data(), made.mean.data(), made.variance.data()},
              made.saved.data(),
              room,
              forward},
             nullptr);
    convolve_backward_input(
        shape, dy.data() + first * outputs, w.data(), dx.data(),
        {to_norm.data() + first * channels,
         {gamma.data(), made.before.data(), made.of_gamma.data(), made.of_beta.data()},
         room,
         backward},
        nullptr);
    EXPECT_EQ(done, std::vector<unsigned>(done.size()));
    return made;
  };
  const Made all = run(2 * half.images, 0, {}, {});

  // Both passes' of a member, one behind the other.
  const std::size_t values = 2 * (outputs + channels);
  std::vector<float> sums[2];
  for (const std::size_t member : {0, 1}) {
    sums[member].assign(values, NAN);
    const Made made = run(half.images, member, {{}, sums[member].data()},
                          {{}, sums[member].data() + 2 * outputs});
    EXPECT_EQ(made.mean, std::vector<float>(outputs, 0.5F));
    for (const auto* some : {&made.saved, &made.of_gamma, &made.of_beta})
      for (const float one : *some) EXPECT_TRUE(std::isnan(one));
  }

  const auto word = [](float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return std::uint64_t{1} << 32 | bits;  // of the first round
  };
  for (const std::size_t member : {0, 1}) {
    const std::size_t other = 1 - member;
    // Of a member: what the members send it, and its round.
    std::vector<std::uint64_t> memory[2];
    for (auto& one : memory) one.assign(2 * values + 1, 0);
    memory[member].back() = 1;
    for (std::size_t i = 0; i < values; ++i)
      memory[member][other * values + i] = word(sums[other][i]);
    const std::int32_t broken = 0;
    Exchange forward{static_cast<int>(member), 2};
    forward.of_rank[0] = memory[0].data(), forward.of_rank[1] = memory[1].data();
    forward.broken = &broken;
    forward.values = static_cast<std::int64_t>(values);
    Exchange backward = forward;
    backward.first = static_cast<std::int64_t>(2 * outputs);
    const Made made = run(half.images, member, {forward}, {backward});
    for (std::size_t i = 0; i < values; ++i)
      EXPECT_EQ(memory[other][member * values + i], word(sums[member][i]));
    const auto expect_same = [](const std::vector<float>& found, const std::vector<float>& wanted) {
      Difference difference;
      for (std::size_t i = 0; i < found.size(); ++i)
        if (!std::isnan(wanted[i])) difference.add(found[i], wanted[i]);
      EXPECT_LT(difference.relative(), 1e-5);
    };
    expect_same(made.mean, all.mean);
    expect_same(made.variance, all.variance);
    expect_same(made.saved, all.saved);
    expect_same(made.before, all.before);
    expect_same(made.of_gamma, all.of_gamma);
    expect_same(made.of_beta, all.of_beta);
  }
}

}  // namespace occam::cuda
