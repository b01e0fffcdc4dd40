#include "worker/benches.h"

#include <algorithm>
#include <limits>

#include "experiments/error.h"
#include "worker/model/precision.h"

namespace occam {

int parts_for(double share, int parts) {
  int of = parts;
  while (of > 1 && (parts % of != 0 || share * of > 1 + 1e-9)) --of;
  return of;
}

// Two trials a part were quickest (bench/README.md). On fewer multiprocessors libraries choose
// other algorithms, and other bits.
int parts_of(int slots, int most) {
  return is_deterministic() ? 1 : std::clamp(slots / 2, 1, most);
}

Benches::Benches(torch::Device device, int slots, int most_parts,
                 std::function<void(const std::string&)> log)
    : device_(device),
      slots_(slots),
      log_(std::move(log)),
      trials_on_(static_cast<std::size_t>(device.is_cuda() ? parts_of(slots, most_parts) : 1)) {}

std::unique_ptr<Bench> Benches::take(const Trial& trial, double share, int running) {
  const std::lock_guard lock(mutex_);
  // A step in float32 fills a GPU by itself, and is slower on parts of one.
  const double least = trial.precision == Precision::bf16 ? std::max(share, 1.0 / running) : 1;
  const int of = parts_for(least, static_cast<int>(trials_on_.size()));
  cuda::Part part = emptiest(of);
  const auto found = [&](auto matches) {
    return std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& bench) {
      return bench->part() == part && matches(*bench);
    });
  };
  auto best = found([&](const Bench& bench) { return bench.is_warm(trial); });
  if (best == waiting_.end()) best = found([](const Bench&) { return true; });
  std::unique_ptr<Bench> bench;
  if (best != waiting_.end()) {
    bench = std::move(*best);
    waiting_.erase(best);
  } else {
    bench = make(part);
  }
  // Steps that nobody may want again make room for this one.
  std::size_t warm = 0;
  for (const auto& one : waiting_) warm += one->has_step();
  if (!bench->is_warm(trial))
    for (auto& one : waiting_)
      if (one->has_step() &&
          warm + static_cast<std::size_t>(running) > static_cast<std::size_t>(slots_)) {
        one->drop_step();
        --warm;
      }
  count(bench->part(), 1);
  return bench;
}

void Benches::give_back(std::unique_ptr<Bench> bench) {
  const std::lock_guard lock(mutex_);
  count(bench->part(), -1);
  waiting_.push_back(std::move(bench));
}

// The part with the fewest trials.
cuda::Part Benches::emptiest(int of) const {
  const auto size = static_cast<int>(trials_on_.size()) / of;
  cuda::Part best{0, of};
  int fewest = std::numeric_limits<int>::max();
  for (int index = 0; index < of; ++index) {
    int trials = 0;
    for (int i = 0; i < size; ++i) trials += trials_on_[static_cast<std::size_t>(index * size + i)];
    if (trials >= fewest) continue;
    fewest = trials;
    best.index = index;
  }
  return best;
}

std::unique_ptr<Bench> Benches::make(cuda::Part part) {
  if (part.of > 1) try {
      return std::make_unique<Bench>(device_, part);
    } catch (const Error& problem) {
      log_(device_.str() + " is not divided among its trials: " + problem.what());
      trials_on_.assign(1, 0);
    }
  return std::make_unique<Bench>(device_);
}

void Benches::count(cuda::Part part, int by) {
  // Of a part from before the device turned out not to be divisible there is none.
  const auto size = trials_on_.size() / static_cast<std::size_t>(part.of);
  for (std::size_t i = 0; i < size; ++i)
    trials_on_[static_cast<std::size_t>(part.index) * size + i] += by;
}

}  // namespace occam
