#define OCCAM_HAS_GROUPS false
#define cuda cuda_of_warps  // beside the kernels for Hopper
// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(Convolution, OnOtherGpusIsItsDefinition) { cuda::check_convolutions(64, 2, 32, 3); }

TEST(Convolution, OnOtherGpusGoesThroughTheReluAsTheNormDoes) {
  cuda::check_through_relu(64, 2, 32, 3);
}

}  // namespace
}  // namespace occam
