// The convolutions' kernels against their definition, for a source that has included them.
#pragma once

#include <gtest/gtest.h>

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

inline void check_convolutions(int channels, int images, int side, int processors) {
  Numbers numbers(7);
  const ConvolutionShape shape{images, side, channels, processors};
  const auto outs = static_cast<int>(outputs(shape));
  const bool has_dx = outs == channels;
  const auto width = static_cast<std::size_t>(outs), depth = static_cast<std::size_t>(channels);
  const auto pixels = static_cast<std::size_t>(images * side * side), count = pixels * width;
  const Halves x = numbers.halves(pixels * depth, 1), w = numbers.halves(width * 9 * depth, 0.05F),
               dy = numbers.halves(count, 1);
  const auto weight = [&](int out, int shift, int in) {
    return value(w[static_cast<std::size_t>((out * 9 + shift) * channels + in)]);
  };
  Halves y(count), dx(x.size()), dw(w.size());
  std::vector<float> origin(width),
      parts(static_cast<std::size_t>(convolution_parts(shape)) * 2 * width, NAN);
  for (float& one : origin) one = numbers.next();
  std::vector<float> scratch(
      static_cast<std::size_t>(convolution_scratch_bytes(shape)) / sizeof(float), NAN);
  convolve(shape, x.data(), w.data(), y.data(), {origin.data(), parts.data()}, nullptr);
  if (has_dx) convolve_backward_input(shape, dy.data(), w.data(), dx.data(), nullptr);
  convolve_backward_weights(shape, dy.data(), x.data(), dw.data(), scratch.data(), nullptr);

  Difference of_y, of_dx, of_dw, of_sums;
  const Pixels in{x, side, channels}, out{y, side, outs}, back{dx, side, channels},
      from{dy, side, outs};
  for (int i = 0; i < 3000; ++i) {
    const auto below = [&](int most) {
      return static_cast<int>(numbers.below(static_cast<std::size_t>(most)));
    };
    // Many at the border.
    const int image = below(images), channel = below(outs);
    const int row = i % 5 == 0 ? below(2) * (side - 1) : below(side);
    const int column = i % 7 == 0 ? below(2) * (side - 1) : below(side);
    double forward = 0, backward = 0;
    for (int shift = 0; shift < 9; ++shift)
      for (int k = 0; k < channels; ++k) {
        const int down = shift / 3 - 1, right = shift % 3 - 1;
        forward += in.at(image, row + down, column + right, k) * weight(channel, shift, k);
        if (has_dx)
          backward += from.at(image, row - down, column - right, k) * weight(k, shift, channel);
      }
    of_y.add(out.at(image, row, column, channel), forward);
    if (has_dx) of_dx.add(back.at(image, row, column, channel), backward);
  }
  for (int i = 0; i < 100; ++i) {
    const auto output = static_cast<int>(numbers.below(width)),
               input = static_cast<int>(numbers.below(depth)), shift = i % 9;
    double sum = 0;
    for (int image = 0; image < images; ++image)
      for (int row = 0; row < side; ++row)
        for (int column = 0; column < side; ++column)
          sum += from.at(image, row, column, output) *
                 in.at(image, row + shift / 3 - 1, column + shift % 3 - 1, input);
    of_dw.add(value(dw[static_cast<std::size_t>((output * 9 + shift) * channels + input)]), sum);
  }
  for (std::size_t channel = 0; channel < width; ++channel) {
    double sum = 0, square = 0, found = 0, found_square = 0;
    for (std::size_t i = channel; i < count; i += width) {
      const double centred = value(y[i]) - origin[channel];
      sum += centred;
      square += centred * centred;
    }
    for (std::size_t part = 0; part < parts.size(); part += 2 * width) {
      found += parts[part + channel];
      found_square += parts[part + width + channel];
    }
    of_sums.add(found, sum);
    of_sums.add(found_square, square);
  }
  EXPECT_LT(of_y.relative(), kRounding);
  if (has_dx) {
    EXPECT_LT(of_dx.relative(), kRounding);
  }
  EXPECT_LT(of_dw.relative(), kRounding);
  EXPECT_LT(of_sums.relative(), 1e-6);
}

}  // namespace occam::cuda
