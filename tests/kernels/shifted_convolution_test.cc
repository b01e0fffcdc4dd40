// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/shifted_convolution.cu"
// clang-format on
#include "tests/kernels/convolution_checks.h"

namespace occam {
namespace {

// Tiles of every size, that pixels do not fill, and more and fewer of them than blocks.
TEST(ShiftedConvolution, OnHopperIsItsDefinition) {
  for (const cuda::ConvolutionShape& shape : {cuda::ConvolutionShape{9, 4, 128, 128, 1, 3},
                                              {5, 8, 128, 256, 1, 2},
                                              {3, 8, 64, 512, 1, 9},
                                              {1, 32, 64, 128, 1, 5}})
    cuda::check_convolutions(shape);
}

TEST(ShiftedConvolution, WithStrideTwoIsItsDefinition) {
  for (const cuda::ConvolutionShape& shape : {cuda::ConvolutionShape{3, 16, 64, 128, 2, 5},
                                              {2, 8, 128, 256, 2, 2},
                                              {20, 8, 256, 128, 2, 1},
                                              {9, 8, 128, 128, 2, 3}})
    cuda::check_convolutions(shape);
}

TEST(ShiftedConvolution, OfOneByOneIsItsDefinition) {
  for (const cuda::ConvolutionShape& shape : {cuda::ConvolutionShape{3, 16, 64, 128, 2, 5, 1},
                                              {9, 8, 128, 256, 2, 3, 1},
                                              {5, 8, 128, 128, 1, 32, 1}}) {
    ASSERT_TRUE(cuda::has_weight_gradient(shape));
    cuda::check_convolutions(shape);
  }
}

TEST(ShiftedConvolution, AddsUpAGangsSums) {
  for (const cuda::ConvolutionShape& shape :
       {cuda::ConvolutionShape{3, 8, 64, 256, 1, 4}, {9, 4, 256, 256, 1, 3}})
    cuda::check_members(shape);
}

}  // namespace
}  // namespace occam
