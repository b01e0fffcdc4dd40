#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "experiments/trial.h"

namespace occam {

inline const torch::Device kGpu(torch::kCUDA, 0);

inline void skip_without_gpu() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU is visible";
}

// A network of milliseconds a step that all of a GPU's kernels take.
inline Trial narrow(Loss loss) {
  Trial trial;
  trial.loss = loss;
  trial.width = 0.25;
  trial.depth = 10;
  trial.batch_size = 16;
  trial.head_layers = 2;
  trial.head_width = 64;
  trial.embedding = 32;
  trial.learning_rate = 0.05;
  return trial;
}

}  // namespace occam
