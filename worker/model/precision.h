#pragma once

#include "experiments/trial.h"

namespace occam {

// What `precision` means for operations that come one by one, from here to the end of the scope:
// bf16 runs convolutions and products in bfloat16 over fp32 weights (autocast); fp32 and tf32 run
// in fp32. On a CPU all three are fp32. Scopes may nest.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;

 private:
  bool autocast_;
};

// For the capture of a step: tf32 is a switch of the whole process, on for tf32 and for what a bf16
// step has in float32 (a large batch's loss), and so is cuDNN's search for its fastest algorithm,
// which is on in here unless set_deterministic() was called. No PrecisionScope of another thread is
// open meanwhile. Not to be nested, nor opened inside a PrecisionScope. A step of few images is
// worth the trial of every algorithm; with many the slow ones among them would take minutes.
class CaptureScope {
 public:
  CaptureScope(Precision precision, bool tries_all);
  ~CaptureScope();
  CaptureScope(const CaptureScope&) = delete;
};

// For the whole process, before any training: algorithms that are the same in every run, and never
// those whose sums come in any order.
void set_deterministic();
bool is_deterministic();

}  // namespace occam
