#include "worker/cuda/boxes.h"

#include "worker/cuda/driver.h"

namespace occam::cuda {

Boxes boxes_of(const void* tensor, const std::array<Side, 5>& sides) {
  cuuint64_t sizes[5], bytes[4];
  cuuint32_t box[5], steps[5];
  for (int i = 0; i < 5; ++i) {
    sizes[i] = static_cast<cuuint64_t>(sides[i].size);
    steps[i] = static_cast<cuuint32_t>(sides[i].step);
    box[i] = static_cast<cuuint32_t>(sides[i].box) * steps[i];
    if (i > 0) bytes[i - 1] = static_cast<cuuint64_t>(sides[i].stride) * 2;
  }
  Boxes boxes{};
  static const auto encode = OCCAM_DRIVER(cuTensorMapEncodeTiled);
  const CUresult result =
      encode(&boxes, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 5, const_cast<void*>(tensor), sizes, bytes,
             box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             sides[0].box == 64 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS)
    throw Error("cuTensorMapEncodeTiled failed (" + std::to_string(result) + ")");
  return boxes;
}

}  // namespace occam::cuda
