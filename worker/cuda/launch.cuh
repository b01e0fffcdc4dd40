#pragma once

#include <string>

#include "experiments/error.h"
#include "worker/cuda/device.h"

// Without nvcc, tests/kernels/simt.h has this for a CPU.
#ifdef __CUDACC__

namespace occam::cuda {

// Puts a kernel on the stream, with so many bytes of shared memory beside its own.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
            int shared_bytes, Stream stream, Arguments... arguments) {
  // More than a kernel may have without asking.
  constexpr int kGiven = 48 << 10;
  if (shared_bytes > kGiven) {
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
    if (error != cudaSuccess) throw Error(std::string(name) + ": " + cudaGetErrorString(error));
  }
  kernel<<<blocks, threads, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  check_launch(name);
}

}  // namespace occam::cuda

#endif
