#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "experiments/trial.h"

namespace occam {

// How many trials a GPU should train at once, found by trying. The best number depends on the
// GPU, its driver and our kernels; that of the released recipe serves for all, since a trial with
// larger steps takes several slots.

// Images a second (views through the network, forward, backward and update) of so many trainings of
// this kind at once on these images (bytes, n x channels x side x side), each on one of so many
// parts of the GPU: the median of `rounds` rounds of `seconds`. Throws what a training
// throws, c10::OutOfMemoryError too.
struct PackedRate {
  double images_per_second, build_seconds;
};
PackedRate packed_rate(const Trial& trial, const torch::Tensor& images, torch::Device device,
                       int slots, int parts, double seconds, int rounds);

// The number of trials at which `rate` is highest: upwards from four while that brings 2 % or more,
// and downwards where four are too many. A rate of 0 says that they do not fit in memory.
int best_slots(const std::function<double(int slots)>& rate);

// best_slots of the device, divided into so many parts at most, measured once for a GPU model,
// driver and build and kept in a file of the folder, which need not exist; some 20 s when it is
// new. `log` hears what was measured.
int measured_slots(torch::Device device, int most_parts, const std::filesystem::path& folder,
                   const std::function<void(const std::string&)>& log);

}  // namespace occam
