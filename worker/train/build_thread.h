#pragma once

#include <functional>

namespace occam {

// Runs the work on the one thread that makes CUDA graphs, and waits for it; what it throws is
// thrown here. Captures must come one after the other, and what cuDNN measures of a convolution it
// keeps by thread, so one thread measures once for all slots.
void on_build_thread(const std::function<void()>& work);

}  // namespace occam
