#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "experiments/error.h"

namespace occam::cuda {

// Throws Error with what CUDA says of a call that failed, after what it was for.
inline void demand(cudaError_t error, const char* what = "CUDA") {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // the next launch of this thread is not to blame
  throw Error(std::string(what) + ": " + cudaGetErrorString(error));
}

// Of a query for an event or a stream.
inline bool is_done(cudaError_t state) {
  if (state == cudaErrorNotReady) return false;
  demand(state);
  return true;
}

}  // namespace occam::cuda
