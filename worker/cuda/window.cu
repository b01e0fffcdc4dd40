#include "worker/cuda/window.h"

#include <nccl.h>

#include "experiments/error.h"

#if NCCL_VERSION_CODE >= 22800
#include <nccl_device.h>
#endif

namespace occam::cuda {

#if NCCL_VERSION_CODE >= 22800
namespace {

__global__ void write_addresses(ncclWindow_t window, int size, void** addresses) {
  for (int rank = 0; rank < size; ++rank) addresses[rank] = ncclGetLsaPointer(window, 0, rank);
}

}  // namespace

void window_addresses(ncclWindow_vidmem* window, int size, void** addresses, Stream stream) {
  write_addresses<<<1, 1, 0, stream>>>(window, size, addresses);
  check_launch("window_addresses");
}
#else
void window_addresses(ncclWindow_vidmem*, int, void**, Stream) {
  throw Error("this NCCL shares no memory");
}
#endif

}  // namespace occam::cuda
