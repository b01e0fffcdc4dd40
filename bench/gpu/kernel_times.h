#pragma once

#include <functional>

// Runs the work with CUPTI watching and prints where the GPU's time went: kernels by name,
// microseconds and launches a step; with `in_order`, before that, the last step's kernels one by
// one, which says something of a single slot.
void print_kernel_times(int steps, bool in_order, const std::function<void()>& work);
