#pragma once

#include <cstdint>
#include <vector>

#include "worker/random.h"

namespace occam {

// A random permutation of 0…count-1 (Fisher-Yates), the same for the same seed, purpose and epoch.
inline std::vector<std::int64_t> permutation(std::int64_t count, std::int64_t seed, Purpose purpose,
                                             std::int64_t epoch = 0) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) order[i] = i;
  for (std::int64_t i = count - 1; i > 0; --i) {
    const Draws draws(seed, purpose, static_cast<std::uint32_t>(epoch),
                      static_cast<std::uint32_t>(i));
    std::swap(order[i], order[draws.below(0, static_cast<std::uint32_t>(i + 1))]);
  }
  return order;
}

}  // namespace occam
