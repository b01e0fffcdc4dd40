#include "worker/model/precision.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

namespace occam {

PrecisionScope::PrecisionScope(Precision precision) : autocast_(precision == Precision::bf16) {
  at::globalContext().setAllowTF32CuBLAS(precision == Precision::tf32);
  at::globalContext().setAllowTF32CuDNN(precision == Precision::tf32);
  if (!autocast_) return;
  at::autocast::set_autocast_enabled(at::kCUDA, true);
  at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(true);
  at::autocast::increment_nesting();
}

PrecisionScope::~PrecisionScope() {
  if (!autocast_) return;
  // The weights' bfloat16 copies are of this forward pass alone.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCUDA, false);
}

}  // namespace occam
