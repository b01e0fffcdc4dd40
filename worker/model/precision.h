#pragma once

#include "experiments/trial.h"

namespace occam {

// What `precision` means on a GPU, from here to the end of the scope: fp32 turns off the tf32 that
// cuDNN would use by default, tf32 turns it on for convolutions and products, bf16 runs those in
// bfloat16 over fp32 weights (autocast). tf32 is a switch of the whole process, so trials that
// differ in it must not run at once. On a CPU all three are fp32.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;

 private:
  bool autocast_;
};

}  // namespace occam
