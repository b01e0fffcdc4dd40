#pragma once

#include <ATen/ATen.h>
#include <torch/types.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "experiments/trial.h"
#include "tests/temporary_folder.h"

namespace occam {

// A training of milliseconds: 12 updates in 3 epochs of a very narrow network.
inline Trial narrow_trial(Loss loss, std::int64_t seed = 1) {
  Trial trial;
  trial.dataset = Dataset::synthetic;
  trial.loss = loss;
  trial.seed = seed;
  trial.depth = 10;
  trial.width = 1.0 / 32;
  trial.head_layers = 2;
  trial.head_width = 12;
  trial.embedding = 10;
  trial.train_limit = 32;
  trial.batch_size = 8;
  trial.epochs = 3;
  return canonical(trial);
}

// Bytes without a pattern; the same on every call.
inline torch::Tensor byte_images(std::int64_t rows, std::int64_t channels, std::int64_t side) {
  torch::Tensor images = at::empty({rows, channels, side, side}, torch::kUInt8);
  auto* bytes = images.data_ptr<std::uint8_t>();
  std::uint32_t state = 12345;
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    state = state * 1664525 + 1013904223;
    bytes[i] = static_cast<std::uint8_t>(state >> 24);
  }
  return images;
}

inline torch::Tensor gaussian(std::int64_t count, std::int64_t columns, std::uint64_t seed) {
  return at::randn({count, columns}, at::detail::createCPUGenerator(seed), torch::kFloat);
}

// The norm of the difference as a share of that of `expected`.
inline double relative(const torch::Tensor& found, const torch::Tensor& expected) {
  const torch::Tensor a = found.to(torch::kFloat64), b = expected.to(torch::kFloat64);
  return ((a - b).norm() / b.norm()).item<double>();
}

inline bool same_bits(const torch::Tensor& a, const torch::Tensor& b) { return at::equal(a, b); }

}  // namespace occam
