#define OCCAM_HAS_GROUPS true
// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(Convolution, OnHopperIsItsDefinition) {
  cuda::check_convolutions(2, 32, 3);
  cuda::check_convolutions(1, 64, 132);
}

TEST(Convolution, RefusesASideThatTilesDoNotFill) {
  EXPECT_THROW(cuda::convolve({1, 28, 1}, nullptr, nullptr, nullptr, {}, nullptr), Error);
}

}  // namespace
}  // namespace occam
