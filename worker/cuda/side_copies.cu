#include "worker/cuda/side_copies.h"

#include "worker/cuda/demand.h"

namespace occam::cuda {

constexpr char kWhat[] = "copies beside a step";

SideCopies::SideCopies(Stream stream) : stream_(stream) {
  cudaStream_t side_stream = nullptr;
  demand(cudaStreamCreateWithFlags(&side_stream, cudaStreamNonBlocking), kWhat);
  side_stream_.reset(side_stream);
  for (auto* event : {&made_, &copied_}) {
    cudaEvent_t made = nullptr;
    demand(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), kWhat);
    event->reset(made);
  }
}

void SideCopies::Destroy::operator()(CUstream_st* stream) const { cudaStreamDestroy(stream); }
void SideCopies::Destroy::operator()(CUevent_st* event) const { cudaEventDestroy(event); }

void SideCopies::begin() {
  demand(cudaEventRecord(made_.get(), stream_), kWhat);
  demand(cudaStreamWaitEvent(side_stream_.get(), made_.get(), 0), kWhat);
  is_begun_ = true;
}

void SideCopies::copy(void* to, const void* from, std::int64_t bytes) {
  demand(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice,
                         side_stream_.get()),
         kWhat);
}

void SideCopies::end() {
  if (!is_begun_) return;
  demand(cudaEventRecord(copied_.get(), side_stream_.get()), kWhat);
  demand(cudaStreamWaitEvent(stream_, copied_.get(), 0), kWhat);
  is_begun_ = false;
}

}  // namespace occam::cuda
