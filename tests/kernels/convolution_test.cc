// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(Convolution, OnHopperIsItsDefinition) {
  cuda::check_convolutions({2, 32, 64, 64, 1, 3});
  cuda::check_convolutions({1, 64, 64, 64, 1, 132});
}

TEST(Convolution, OfEightChannelsIsItsDefinition) {
  cuda::check_convolutions({2, 32, 8, 64, 1, 3});
  cuda::check_convolutions({1, 64, 8, 64, 1, 132});
}

TEST(Convolution, AddsUpAGangsSums) { cuda::check_members({2, 32, 64, 64, 1, 3}); }

TEST(Convolution, RefusesShapesThatTilesDoNotFill) {
  for (const cuda::ConvolutionShape& shape : {cuda::ConvolutionShape{1, 28, 64, 64},
                                              {1, 14, 128, 128},
                                              {1, 16, 64, 64},
                                              {1, 32, 32, 32},
                                              {0, 32, 64, 64},
                                              {1, 32, 64, 64, 2},
                                              {1, 16, 128, 192},
                                              {1, 16, 96, 128}}) {
    EXPECT_FALSE(cuda::has_convolution(shape));
    EXPECT_THROW(cuda::convolve(shape, nullptr, nullptr, nullptr, {}, nullptr), Error);
  }
  // A norm before stride 2.
  cuda::NormBefore norm;
  norm.x = &norm;
  EXPECT_THROW(
      cuda::convolve_backward_input({1, 16, 128, 128, 2}, nullptr, nullptr, nullptr, norm, nullptr),
      Error);
}

}  // namespace
}  // namespace occam
