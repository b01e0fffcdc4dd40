// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/wide_convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(WideConvolution, OnHopperIsItsDefinition) {
  cuda::check_convolutions(128, 3, 16, 2);
  cuda::check_convolutions(128, 2, 16, 9);
}

}  // namespace
}  // namespace occam
