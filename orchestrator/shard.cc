#include "orchestrator/shard.h"

#include <algorithm>
#include <numeric>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {

Shard parse_shard(const std::string& text) {
  Shard shard;
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos ||
      !read_number(std::string_view(text).substr(0, slash), shard.number) ||
      !read_number(std::string_view(text).substr(slash + 1), shard.count) || shard.number < 1 ||
      shard.number > shard.count)
    throw UsageError("--shard '" + text + "' is no part K/N of N, such as 2/4");
  return shard;
}

std::unordered_set<std::string> trials_of(const Shard& shard, const Expansion& expansion) {
  std::vector<double> work;
  for (const PlannedTrial& planned : expansion.trials)
    work.push_back(
        training_macs(planned.trial) +
        evaluation_macs(planned.trial,
                        applicable(expansion.evaluations[planned.evaluations], planned.trial)));
  std::vector<std::size_t> order(work.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return work[a] > work[b]; });
  std::unordered_set<std::string> trials;
  const auto count = static_cast<std::size_t>(shard.count);
  for (std::size_t i = 0; i < order.size(); ++i) {
    // There and back again: 1 2 3 3 2 1 …
    const std::size_t at = i % (2 * count);
    if ((at < count ? at : 2 * count - 1 - at) + 1 == static_cast<std::size_t>(shard.number))
      trials.insert(expansion.trials[order[i]].id());
  }
  return trials;
}

}  // namespace occam
