#pragma once

#include <functional>

// Runs the work with CUPTI watching and prints where the GPU's time went: kernels by name,
// microseconds and launches a step.
void print_kernel_times(int steps, const std::function<void()>& work);
