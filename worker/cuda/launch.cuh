#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

namespace occam::cuda {

inline unsigned blocks_of(std::int64_t items, std::int64_t a_block) {
  return static_cast<unsigned>((items + a_block - 1) / a_block);
}

}  // namespace occam::cuda

// Without nvcc, tests/kernels/simt.h has these for a CPU.
#ifdef __CUDACC__
#include "worker/cuda/demand.h"

namespace occam::cuda {

// The shared memory that launch() was asked for.
__device__ inline float* shared_floats() {
  extern __shared__ float floats_of_launch[];
  return floats_of_launch;
}

// Puts a kernel on the stream, with so many bytes of shared memory beside its own arrays.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 blocks, unsigned threads,
            int shared_bytes, Stream stream, Arguments... arguments) {
  // A kernel has 48 KiB without asking, its own arrays and what CUDA keeps there included.
  constexpr int kSurelyGiven = 32 << 10;
  if (shared_bytes > kSurelyGiven) {
    demand(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
           name);
  }
  kernel<<<blocks, threads, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  check_launch(name);
}

}  // namespace occam::cuda

#endif
