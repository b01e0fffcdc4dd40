#pragma once

namespace occam {

// While one lives, no step of training begins in this process. A library that meets a kernel for
// the first time loads it, for which the driver waits until nothing runs on the GPU: behind steps
// that follow each other without a gap it would wait until the last of them.
class Quiet {
 public:
  Quiet();
  ~Quiet();
  Quiet(const Quiet&) = delete;

  // Before a step: returns once nobody wants quiet. Any thread.
  static void wait();
};

}  // namespace occam
