#pragma once

#include "experiments/trial.h"
#include "worker/cuda/augment.h"

namespace occam {

// The trial's augmentation as the GPU's kernel takes it, for images of this side and number of
// channels. Throws Error for more operations than it holds.
cuda::AugmentPlan augment_plan(const Trial& trial, int side, int channels);

}  // namespace occam
