#pragma once

#include "worker/cuda/device.h"

struct ncclWindow_vidmem;  // what ncclWindow_t points to

namespace occam::cuda {

// Where the memory of a window of NCCL's lies, as the current device reaches it: writes the
// addresses of that of members 0 to `size` - 1, who must all be of one such team, to
// `addresses` (of the device). Throws Error where NCCL is too old.
void window_addresses(ncclWindow_vidmem* window, int size, void** addresses, Stream stream);

}  // namespace occam::cuda
