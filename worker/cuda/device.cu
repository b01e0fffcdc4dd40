#include "worker/cuda/device.h"

#include "worker/cuda/demand.h"

namespace occam::cuda {

void check_launch(const char* what) { demand(cudaGetLastError(), what); }

}  // namespace occam::cuda
