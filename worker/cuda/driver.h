#pragma once

#include <cuda.h>

#include <string>

#include "worker/cuda/demand.h"

namespace occam::cuda {

// A function of the driver that is loaded, so that nothing links to it, as of CUDA 12.5:
// OCCAM_DRIVER(cuDeviceGet)(&handle, device).
template <class Function>
Function driver(const char* name, Function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  demand(cudaGetDriverEntryPointByVersion(name, &found, 12050, cudaEnableDefault, &result), name);
  if (result != cudaDriverEntryPointSuccess)
    throw Error(std::string("this driver has no ") + name + "; CUDA 12.5 or newer has");
  return reinterpret_cast<Function>(found);
}
#define OCCAM_DRIVER(function) ::occam::cuda::driver(#function, &function)

}  // namespace occam::cuda
