#include "worker/cuda/side_copies.h"

#include <cuda_runtime_api.h>

#include <string>

#include "experiments/error.h"

namespace occam::cuda {
namespace {

void demand(cudaError_t error) {
  if (error != cudaSuccess)
    throw Error(std::string("copies beside a step: ") + cudaGetErrorString(error));
}

}  // namespace

SideCopies::SideCopies(Stream stream) : stream_(stream) {
  demand(cudaStreamCreateWithFlags(&side_stream_, cudaStreamNonBlocking));
  for (CUevent_st** event : {&made_, &copied_})
    demand(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
}

SideCopies::~SideCopies() {
  for (CUevent_st* event : {made_, copied_})
    if (event) cudaEventDestroy(event);
  if (side_stream_) cudaStreamDestroy(side_stream_);
}

void SideCopies::begin() {
  demand(cudaEventRecord(made_, stream_));
  demand(cudaStreamWaitEvent(side_stream_, made_, 0));
  is_begun_ = true;
}

void SideCopies::copy(void* to, const void* from, std::int64_t bytes) {
  demand(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice,
                         side_stream_));
}

void SideCopies::end() {
  if (!is_begun_) return;
  demand(cudaEventRecord(copied_, side_stream_));
  demand(cudaStreamWaitEvent(stream_, copied_, 0));
  is_begun_ = false;
}

}  // namespace occam::cuda
