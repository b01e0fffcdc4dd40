#include "worker/device.h"

#ifdef OCCAM_CUDA
#include <cuda_runtime_api.h>

#include "experiments/error.h"
#endif

namespace occam {
#ifdef OCCAM_CUDA
namespace {

cudaDeviceProp gpu_properties(torch::Device device) {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, device.index()) != cudaSuccess)
    throw Error(device.str() + ": the driver tells nothing of this GPU");
  return properties;
}

}  // namespace
#endif

std::string device_name(torch::Device device) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) return gpu_properties(device).name;
#endif
  return device.str();
}

std::int64_t device_memory([[maybe_unused]] torch::Device device) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) return static_cast<std::int64_t>(gpu_properties(device).totalGlobalMem);
#endif
  return 0;
}

std::string device_kind(torch::Device device) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    const cudaDeviceProp properties = gpu_properties(device);
    return std::string(properties.name) + ", " + std::to_string(properties.multiProcessorCount) +
           " multiprocessors, driver for CUDA " + std::to_string(driver);
  }
#endif
  return device.str();
}

std::string device_loss([[maybe_unused]] torch::Device device) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) {
    const cudaError_t state = cudaStreamQuery(cudaStreamPerThread);
    if (state != cudaSuccess && state != cudaErrorNotReady) return cudaGetErrorString(state);
  }
#endif
  return "";
}

}  // namespace occam
