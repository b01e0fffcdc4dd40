// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

TEST(Convolution, OnHopperIsItsDefinition) {
  cuda::check_convolutions(64, 2, 32, 3);
  cuda::check_convolutions(64, 1, 64, 132);
}

TEST(Convolution, OfEightChannelsIsItsDefinition) {
  cuda::check_convolutions(8, 2, 32, 3);
  cuda::check_convolutions(8, 1, 64, 132);
}

TEST(Convolution, RefusesShapesThatTilesDoNotFill) {
  for (const cuda::ConvolutionShape& shape :
       {cuda::ConvolutionShape{1, 28, 64}, {1, 32, 128}, {1, 16, 64}, {1, 32, 32}, {0, 32, 64}}) {
    EXPECT_FALSE(cuda::has_convolution(shape));
    EXPECT_THROW(cuda::convolve(shape, nullptr, nullptr, nullptr, {}, nullptr), Error);
  }
}

}  // namespace
}  // namespace occam
