#define OCCAM_HAS_GROUPS false
#define cuda cuda_of_warps  // beside the kernels for Hopper
// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/wide_convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(WideConvolution, OnOtherGpusIsItsDefinition) { cuda::check_convolutions(128, 3, 16, 2); }

TEST(WideConvolution, OnOtherGpusGoesThroughTheReluAsTheNormDoes) {
  cuda::check_through_relu(128, 3, 16, 2);
}

}  // namespace
}  // namespace occam
