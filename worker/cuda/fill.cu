#include "worker/cuda/fill.h"

#include <cuda_runtime.h>

namespace occam::cuda {
namespace {

__global__ void fill_values(InitialValues values, std::int64_t seed, float* out) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < values.count(); i += step)
    out[i] = values.at(values.index_of(i), seed);
}

}  // namespace

void fill(const InitialValues& values, std::int64_t seed, float* out, Stream stream) {
  constexpr int kThreads = 256;
  const std::int64_t blocks = (values.count() + kThreads - 1) / kThreads;
  fill_values<<<static_cast<unsigned>(blocks < 1024 ? blocks : 1024), kThreads, 0, stream>>>(
      values, seed, out);
  check_launch("fill");
}

}  // namespace occam::cuda
