// What kernels name of CUDA's own header, for a C++ compiler.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#define __device__
#define __host__
#define __global__
#define __shared__ static  // one block at a time
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__

struct uint2 {
  unsigned x, y;
};
struct float2 {
  float x, y;
};
struct float4 {
  float x, y, z, w;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned width, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
};
struct uint4 {
  std::uint32_t x, y, z, w;
};

inline float __uint_as_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline std::uint32_t __float_as_uint(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
// Blocks run one after the other.
inline void __threadfence() {}
inline unsigned atomicAdd(unsigned* to, unsigned value) {
  const unsigned was = *to;
  *to += value;
  return was;
}
inline float rsqrtf(float value) { return 1 / std::sqrt(value); }
using std::max;
using std::memcpy;
using std::min;
