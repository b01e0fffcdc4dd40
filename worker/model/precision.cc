#include "worker/model/precision.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

#include <shared_mutex>

namespace occam {
namespace {

std::shared_mutex& switches() {
  static std::shared_mutex mutex;
  return mutex;
}
thread_local int open_scopes = 0;

void set_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuBLAS(allowed);
  at::globalContext().setAllowTF32CuDNN(allowed);
}

}  // namespace

PrecisionScope::PrecisionScope(Precision precision) : autocast_(precision == Precision::bf16) {
  if (open_scopes++ == 0) {
    switches().lock_shared();
    // cuDNN's own default is tf32.
    static const bool fp32 = (set_tf32(false), true);
    static_cast<void>(fp32);
  }
  if (!autocast_) return;
  at::autocast::set_autocast_enabled(at::kCUDA, true);
  at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(true);
  at::autocast::increment_nesting();
}

PrecisionScope::~PrecisionScope() {
  if (autocast_) {
    // The weights' bfloat16 copies are of this forward pass alone.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  }
  if (--open_scopes == 0) switches().unlock_shared();
}

CaptureScope::CaptureScope(Precision precision, bool tries_all) {
  switches().lock();
  set_tf32(precision != Precision::fp32);
  at::globalContext().setBenchmarkCuDNN(!is_deterministic());
  constexpr int kAll = 0, kDefault = 10;
  at::globalContext().setBenchmarkLimitCuDNN(tries_all ? kAll : kDefault);
}

CaptureScope::~CaptureScope() {
  set_tf32(false);
  at::globalContext().setBenchmarkCuDNN(false);
  switches().unlock();
}

void set_deterministic() { at::globalContext().setDeterministicCuDNN(true); }
bool is_deterministic() { return at::globalContext().deterministicCuDNN(); }

}  // namespace occam
