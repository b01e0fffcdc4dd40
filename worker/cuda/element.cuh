#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "worker/cuda/device.h"

// Sixteen bytes at a time, as floats.

namespace occam::cuda {

template <class T>
constexpr int kVector = 16 / sizeof(T);

// Calls work(T{}) for the element.
template <class Work>
void with_element(Element element, Work work) {
  if (element == Element::float32)
    work(float{});
  else
    work(__nv_bfloat16{});
}

template <class T, int V>
struct alignas(sizeof(T) * V) Packed {
  T values[V];
};

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline void from_float(float value, float& out) { out = value; }
__device__ inline void from_float(float value, __nv_bfloat16& out) {
  out = __float2bfloat16_rn(value);
}

// The larger of it and 0. Where fmaxf would drop a NaN it stays, so that a training that diverges
// has no finite loss.
__device__ inline float positive(float value) { return value < 0 ? 0 : value; }

template <int V, class T>
__device__ inline Packed<T, V> fetch(const T* from) {
  return *reinterpret_cast<const Packed<T, V>*>(from);
}
template <int V, class T>
__device__ inline void unpack(const Packed<T, V>& packed, float (&to)[V]) {
#pragma unroll
  for (int i = 0; i < V; ++i) to[i] = to_float(packed.values[i]);
}
template <int V, class T>
__device__ inline void load(const T* from, float (&to)[V]) {
  unpack(fetch<V>(from), to);
}

template <int V, class T>
__device__ inline void store(const float (&from)[V], T* to) {
  Packed<T, V> packed;
#pragma unroll
  for (int i = 0; i < V; ++i) from_float(from[i], packed.values[i]);
  *reinterpret_cast<Packed<T, V>*>(to) = packed;
}

}  // namespace occam::cuda
