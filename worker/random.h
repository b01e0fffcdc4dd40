#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define OCCAM_SHARED __host__ __device__
#else
#define OCCAM_SHARED
#endif

namespace occam {

// What a draw is for; part of the generator's key, so no two purposes share numbers. Appended to,
// never reordered: the numbers are part of every result.
enum class Purpose : std::uint32_t {
  initialisation = 1,
  shuffle,
  augmentation,
  jitter_order,
  train_subset,
  test_subset,
  synthetic,
  validation,
  fit_subset,
};

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the
// counter x becomes four times 32 random bits.
OCCAM_SHARED inline void philox(std::uint32_t (&x)[4], std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * x[0];
    const std::uint64_t p1 = 0xCD9E8D57ULL * x[2];
    const std::uint32_t y0 = static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ key0;
    const std::uint32_t y2 = static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ key1;
    x[1] = static_cast<std::uint32_t>(p1);
    x[3] = static_cast<std::uint32_t>(p0);
    x[0] = y0;
    x[2] = y2;
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

// What 32 random bits mean: uniform in [0, 1), a multiple of 2^-24; uniform in {0, …, count - 1},
// count at most 2^31.
OCCAM_SHARED inline float uniform_of(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0F / 16777216.0F);
}
OCCAM_SHARED inline std::uint32_t below_of(std::uint32_t bits, std::uint32_t count) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(bits) * count) >> 32);
}

// Counter-based random numbers: every number is a pure function of (seed, purpose, a, b, c, i), so
// a trial draws the same on any worker, in any order, resumed or not. CPU code and CUDA kernels
// share this file.
class Draws {
 public:
  OCCAM_SHARED Draws(std::int64_t seed, Purpose purpose, std::uint32_t a, std::uint32_t b = 0,
                     std::uint32_t c = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(purpose)},
        a_(a),
        b_(b),
        c_(c) {}

  // The i-th 32 random bits.
  OCCAM_SHARED std::uint32_t bits(std::uint32_t i) const {
    std::uint32_t x[4] = {i / 4, a_, b_, c_};
    philox(x, key_[0], key_[1]);
    return x[i % 4];
  }

  OCCAM_SHARED float uniform(std::uint32_t i) const { return uniform_of(bits(i)); }
  OCCAM_SHARED std::uint32_t below(std::uint32_t i, std::uint32_t count) const {
    return below_of(bits(i), count);
  }

 private:
  std::uint32_t key_[2];
  std::uint32_t a_, b_, c_;
};

}  // namespace occam
