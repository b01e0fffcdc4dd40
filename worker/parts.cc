#include "worker/parts.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

namespace occam {
namespace {

// Less is not worth the graph that has to be made anew: two of three trials on a part gain less
// where they go to a fourth's.
constexpr double kBetter = 1.4;

template <class Counts>
auto covered(Counts& trials_on, cuda::Part part) {
  const std::size_t size = trials_on.size() / static_cast<std::size_t>(part.of);
  return std::span(trials_on).subspan(static_cast<std::size_t>(part.index) * size, size);
}

}  // namespace

int parts_for(double share, int parts) {
  int of = parts;
  while (of > 1 && (parts % of != 0 || share * of > 1 + 1e-9)) --of;
  return of;
}

cuda::Part Parts::choose(double share) const {
  cuda::Part best{0, parts_for(share, smallest())};
  int fewest = std::numeric_limits<int>::max();
  for (cuda::Part part = best; part.index < part.of; ++part.index) {
    const auto here = covered(trials_on_, part);
    const int trials = std::accumulate(here.begin(), here.end(), 0);
    if (trials >= fewest) continue;
    fewest = trials;
    best = part;
  }
  return best;
}

std::optional<cuda::Part> Parts::better(cuda::Part present, double share) const {
  if (present.of > smallest()) return std::nullopt;
  Parts after = *this;
  after.leave(present);
  const cuda::Part chosen = after.choose(share);
  if (chosen == present) return std::nullopt;
  after.enter(chosen);
  if (after.share_on(chosen) < kBetter * share_on(present)) return std::nullopt;
  return chosen;
}

double Parts::share_on(cuda::Part part) const {
  const auto here = covered(trials_on_, part);
  return 1.0 / part.of / *std::max_element(here.begin(), here.end());
}

void Parts::count(cuda::Part part, int by) {
  // Of a part from before the device turned out not to be divisible there is none.
  if (part.of > smallest()) return;
  for (int& trials : covered(trials_on_, part)) trials += by;
}

}  // namespace occam
