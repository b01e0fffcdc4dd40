#pragma once

#include <cuda.h>

#include <array>
#include <cstdint>

namespace occam::cuda {

// A tensor of bfloat16 of five sides, out of which a kernel copies boxes into shared memory and
// puts them back: by Hopper's copy engine, of compute capability 9.0 on. Given to kernels by value.
using Boxes = CUtensorMap;

struct Side {
  std::int64_t size;
  std::int64_t stride;  // in numbers, a multiple of eight but for the first side's, which is 1
  int box;              // how long a box is
  int step = 1;         // of the tensor from one of a box's to its next
};

// The first side is the one whose numbers lie side by side. Its boxes are 64 long: then a box is
// rows of 128 bytes, one behind the other, in the order of place_128 (matrix.cuh); or 8 long: rows
// of sixteen bytes, one behind the other. A box may be longer than the tensor.
Boxes boxes_of(const void* tensor, const std::array<Side, 5>& sides);

}  // namespace occam::cuda
