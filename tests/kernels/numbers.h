#pragma once

#include <cuda_bf16.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "worker/cuda/device.h"

namespace occam {

using Halves = std::vector<__nv_bfloat16>;

inline double value(float number) { return number; }
inline double value(__nv_bfloat16 half) { return __bfloat162float(half); }

inline void set(float& number, float to) { number = to; }
inline void set(__nv_bfloat16& half, float to) { half = __float2bfloat16_rn(to); }

// Normal, of this deviation.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : random_(seed) {}
  float next() { return normal_(random_); }
  std::size_t below(std::size_t count) { return random_() % count; }
  template <class T>
  std::vector<T> of(std::size_t count, float deviation) {
    std::vector<T> made(count);
    for (T& one : made) set(one, deviation * next());
    return made;
  }
  Halves halves(std::size_t count, float deviation) { return of<__nv_bfloat16>(count, deviation); }

 private:
  std::mt19937 random_;
  std::normal_distribution<float> normal_;
};

// |found - expected| / |expected|, of all that was added.
class Difference {
 public:
  void add(double found, double expected) {
    error_ += (found - expected) * (found - expected);
    all_ += expected * expected;
  }
  // A NaN is none of below anything.
  double relative() const { return std::sqrt(error_ / all_); }

 private:
  double error_ = 0, all_ = 0;
};

// What rounding a result to bfloat16, or adding up in float32, costs.
constexpr double kRounding = 2.5e-3;
template <class T>
constexpr double kRoundingOf = sizeof(T) == 2 ? kRounding : 3e-5;
template <class T>
constexpr auto kElementOf = sizeof(T) == 2 ? cuda::Element::bfloat16 : cuda::Element::float32;

}  // namespace occam
