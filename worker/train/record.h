#pragma once

#include <torch/types.h>

#include <filesystem>

#include "experiments/trial.h"

namespace occam {

// Trains on the CPU and writes down what another implementation of the recipe needs to repeat every
// step, for bench/peer.py: recipe.json (the trial, steps an epoch, every parameter's name and shape
// in the order of the flat buffer); of each step, counted from 0, images.<step>.npy as they enter
// the network (float32, rows x 3 x side x side) and weights.<step>.npy that they meet; losses.npy;
// after the last step trained.npy and statistics.npy (running means, then variances). Throws Error
// for a file that cannot be written.
void record_training(const Trial& trial, const torch::Tensor& train_images,
                     const std::filesystem::path& folder);

}  // namespace occam
