#pragma once

#include "worker/cuda/device.h"
#include "worker/model/initial_values.h"

namespace occam::cuda {

// The parameter's values for a seed, in the order in which weights lie.
void fill(const InitialValues& values, std::int64_t seed, float* out, Stream stream);

}  // namespace occam::cuda
