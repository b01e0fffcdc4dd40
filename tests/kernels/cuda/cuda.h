// What kernels name of the driver's header, for a C++ compiler: boxes of a tensor.
#pragma once

#include <cstdint>

struct CUtensorMap {
  unsigned char* tensor;
  struct {
    std::int64_t size, stride;
    int box, step;
  } sides[5];
};
