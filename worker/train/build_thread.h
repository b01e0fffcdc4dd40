#pragma once

#include <functional>

namespace occam {

// Runs the work on the thread that makes CUDA graphs for so many multiprocessors, and waits for it;
// what it throws is thrown here. Captures must come one after the other, in all threads. What cuDNN
// measures of a convolution it keeps by thread: so one thread measures once for all slots, and not
// for parts of a GPU of another size, on which its choice can be slow, or fail.
void on_build_thread(int processors, const std::function<void()>& work);

}  // namespace occam
