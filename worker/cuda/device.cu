#include "worker/cuda/device.h"

#include <cuda_runtime.h>

#include <string>

#include "experiments/error.h"

namespace occam::cuda {

void check_launch(const char* what) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw Error(std::string(what) + ": " + cudaGetErrorString(error));
}

}  // namespace occam::cuda
