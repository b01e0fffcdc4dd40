#pragma once

#include "experiments/evaluation.h"

namespace occam {

// Multiply-accumulates of one image's forward pass through the trial's network.
double forward_macs(const Trial& trial);

// Of an image of 32 pixels through the released ResNet-18 and head, for the contrastive loss.
constexpr double kFullImageMacs = 557'580'288;
// A trial's step in such images, at least 1: how much of a device it fills.
std::int64_t full_images_per_step(const Trial& trial);
// A step of so many fills a GPU; smaller ones share it, in slots.
constexpr std::int64_t kFillsGpu = 4096;

// Weights of the network's convolutions and linear layers, and its batch norms, one behind each of
// them but the last.
double weight_count(const Trial& trial);
std::int64_t norm_count(const Trial& trial);

// Work of the whole training in multiply-accumulates (backward counts twice the forward): what
// trials are ordered and durations predicted by.
double training_macs(const Trial& trial);

// Forward passes that the features of the requests need.
double evaluation_macs(const Trial& trial, const std::vector<EvaluationRequest>& requests);

}  // namespace occam
