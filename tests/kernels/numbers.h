#pragma once

#include <cuda_bf16.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace occam {

using Halves = std::vector<__nv_bfloat16>;

inline double value(__nv_bfloat16 half) { return __bfloat162float(half); }

// Normal, of this deviation.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : random_(seed) {}
  float next() { return normal_(random_); }
  std::size_t below(std::size_t count) { return random_() % count; }
  Halves halves(std::size_t count, float deviation) {
    Halves made(count);
    for (auto& one : made) one = __float2bfloat16_rn(deviation * next());
    return made;
  }

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

// What rounding a result to bfloat16 costs.
constexpr double kRounding = 2.5e-3;

}  // namespace occam
