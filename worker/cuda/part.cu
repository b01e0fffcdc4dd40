#include "worker/cuda/part.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <array>
#include <string>
#include <vector>

#include "experiments/error.h"
#include "worker/cuda/demand.h"
#include "worker/cuda/driver.h"

namespace occam::cuda {
namespace {

void demand(CUresult result, const char* what) {
  if (result != CUDA_SUCCESS)
    throw Error(std::string(what) + " failed (" + std::to_string(result) +
                "): this GPU or driver cannot be divided");
}

}  // namespace

Stream part_stream(Part part) {
  int least = 0, greatest = 0, device = 0, processors = 0;
  cudaStream_t stream = nullptr;
  demand(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  if (part.of == 1) {
    demand(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, least));
    return stream;
  }
  demand(cudaGetDevice(&device));
  demand(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  CUdevice handle{};
  CUdevResource whole{};
  demand(OCCAM_DRIVER(cuDeviceGet)(&handle, device), "cuDeviceGet");
  demand(OCCAM_DRIVER(cuDeviceGetDevResource)(handle, &whole, CU_DEV_RESOURCE_TYPE_SM),
         "cuDeviceGetDevResource");
  CUdevResource rest{};
  std::vector<CUdevResource> parts(static_cast<std::size_t>(part.of));
  auto count = static_cast<unsigned>(part.of);
  // Parts come in steps of eight multiprocessors, so that clusters fit into them.
  const unsigned size = static_cast<unsigned>(processors / part.of) / 8 * 8;
  demand(OCCAM_DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &count, &whole, &rest, 0, size),
         "cuDevSmResourceSplitByCount");
  if (count < static_cast<unsigned>(part.of))
    throw Error("this GPU has only " + std::to_string(count) + " parts of " + std::to_string(size) +
                " multiprocessors");
  // What is left goes to the first, but where parts could not be taken for equal then (parts.h), or
  // the driver does not join the two.
  std::array<CUdevResource, 2> mine{parts[static_cast<std::size_t>(part.index)], rest};
  const bool has_rest = part.index == 0 && rest.type == CU_DEV_RESOURCE_TYPE_SM &&
                        rest.sm.smCount > 0 && rest.sm.smCount <= size / 3;
  const auto generate = OCCAM_DRIVER(cuDevResourceGenerateDesc);
  CUdevResourceDesc description{};
  if (!has_rest || generate(&description, mine.data(), 2) != CUDA_SUCCESS)
    demand(generate(&description, mine.data(), 1), "cuDevResourceGenerateDesc");
  CUgreenCtx context{};
  demand(OCCAM_DRIVER(cuGreenCtxCreate)(&context, description, handle, CU_GREEN_CTX_DEFAULT_STREAM),
         "cuGreenCtxCreate");
  demand(OCCAM_DRIVER(cuGreenCtxStreamCreate)(&stream, context, CU_STREAM_NON_BLOCKING, least),
         "cuGreenCtxStreamCreate");
  return stream;
}

int processors(Stream stream) {
  CUgreenCtx context{};
  int device = 0, count = 0;
  demand(cudaGetDevice(&device));
  demand(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  if (OCCAM_DRIVER(cuStreamGetGreenCtx)(stream, &context) != CUDA_SUCCESS || !context) return count;
  CUdevResource part{};
  demand(OCCAM_DRIVER(cuGreenCtxGetDevResource)(context, &part, CU_DEV_RESOURCE_TYPE_SM),
         "cuGreenCtxGetDevResource");
  return static_cast<int>(part.sm.smCount);
}

}  // namespace occam::cuda
