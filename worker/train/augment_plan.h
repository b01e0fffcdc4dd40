#pragma once

#include "experiments/trial.h"
#include "worker/cuda/augment.h"
#include "worker/distributed/across.h"

namespace occam {

// The trial's augmentation as the GPU's kernel takes it, for images of this side and number of
// channels, of this share of every batch. Throws Error for more operations than it holds.
cuda::AugmentPlan augment_plan(const Trial& trial, int side, int channels, const BatchShare& share);

}  // namespace occam
