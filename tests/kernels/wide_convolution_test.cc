// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/wide_convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(WideConvolution, OnHopperIsItsDefinition) {
  cuda::check_convolutions({3, 16, 128, 128, 1, 2});
  cuda::check_convolutions({2, 16, 128, 128, 1, 9});
}

TEST(WideConvolution, AddsUpAGangsSums) { cuda::check_members({2, 16, 128, 128, 1, 2}); }

}  // namespace
}  // namespace occam
