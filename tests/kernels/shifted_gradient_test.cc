// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/shifted_gradient.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

// In one part and in several, of as many stages and not.
TEST(ShiftedGradient, OnHopperIsItsDefinition) {
  for (const cuda::ConvolutionShape& shape : {cuda::ConvolutionShape{9, 4, 128, 256, 1, 32},
                                              {5, 8, 64, 128, 1, 32},
                                              {9, 8, 128, 128, 1, 3},
                                              {3, 16, 64, 128, 2, 16},
                                              {1, 64, 64, 128, 1, 7}}) {
    ASSERT_TRUE(cuda::has_weight_gradient(shape));
    cuda::check_convolutions(shape);
  }
}

}  // namespace
}  // namespace occam
