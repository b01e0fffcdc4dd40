#pragma once

#include <cstdint>
#include <memory>

#include "worker/cuda/device.h"

struct CUevent_st;  // what cudaEvent_t points to

namespace occam::cuda {

// Copies of device memory, to other GPUs' too, beside the kernels of a stream: by the GPU's copy
// engines, which take no multiprocessors from them. May be captured in a graph with the stream.
class SideCopies {
 public:
  // Throws Error when CUDA has nothing left for it.
  explicit SideCopies(Stream stream);

  // What the stream has been given until now comes before the copies from here on.
  void begin();
  void copy(void* to, const void* from, std::int64_t bytes);
  // All copies come before what the stream is given from here on.
  void end();

 private:
  struct Destroy {
    void operator()(CUstream_st* stream) const;
    void operator()(CUevent_st* event) const;
  };

  const Stream stream_;
  std::unique_ptr<CUstream_st, Destroy> side_stream_;
  std::unique_ptr<CUevent_st, Destroy> made_, copied_;
  bool is_begun_ = false;
};

}  // namespace occam::cuda
