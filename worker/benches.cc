#include "worker/benches.h"

#include <algorithm>

#include "experiments/error.h"
#include "worker/model/precision.h"

namespace occam {
namespace {

// A step in float32 fills a GPU by itself, and is slower on parts of one.
double share_for(const Trial& trial, double share, int running) {
  return trial.precision == Precision::bf16 ? std::max(share, 1.0 / running) : 1;
}

}  // namespace

// Two trials a part were quickest (bench/README.md). On fewer multiprocessors libraries choose
// other algorithms, and other bits.
int parts_of(torch::Device device, int slots, int most) {
  return device.is_cuda() && !is_deterministic() ? std::clamp(slots / 2, 1, most) : 1;
}

Benches::Benches(torch::Device device, int slots, int parts,
                 std::function<void(const std::string&)> log)
    : device_(device), slots_(slots), log_(std::move(log)), parts_(parts) {}

std::unique_ptr<Bench> Benches::take(const Trial& trial, double share, int running) {
  const std::lock_guard lock(mutex_);
  return take(parts_.choose(share_for(trial, share, running)), trial, running);
}

void Benches::give_back(std::unique_ptr<Bench> bench) {
  const std::lock_guard lock(mutex_);
  parts_.leave(bench->part());
  waiting_.push_back(std::move(bench));
}

bool Benches::has_better(const Bench& present, const Trial& trial, double share,
                         int running) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return lock && parts_.better(present.part(), share_for(trial, share, running));
}

std::unique_ptr<Bench> Benches::take_better(Bench& present, const Trial& trial, double share,
                                            int running) {
  const std::lock_guard lock(mutex_);
  const auto part = parts_.better(present.part(), share_for(trial, share, running));
  if (!part) return nullptr;
  return take(*part, trial, running, &present);
}

Moves Benches::moves(const Trial& trial, double share, std::function<int()> running) {
  Moves made;
  made.has_better = [=, this](const Bench& present) {
    return has_better(present, trial, share, running());
  };
  made.take_better = [=, this](Bench& present) {
    return take_better(present, trial, share, running());
  };
  made.give_back = [this](std::unique_ptr<Bench> bench) { give_back(std::move(bench)); };
  made.on_problem = [this, name = id_of(trial)](const std::string& problem) {
    log_("trial " + name + " stays on its part of " + device_.str() + ": " + problem);
  };
  return made;
}

// One that waits, warm where there is such a one, or a new one.
std::unique_ptr<Bench> Benches::take(cuda::Part part, const Trial& trial, int running,
                                     Bench* left) {
  const auto found = [&](auto matches) {
    return std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& bench) {
      return bench->part() == part && matches(*bench);
    });
  };
  auto best = found([&](const Bench& bench) { return bench.is_warm(trial); });
  if (best == waiting_.end()) best = found([](const Bench&) { return true; });
  std::unique_ptr<Bench> bench;
  if (best == waiting_.end()) {
    bench = make(part);
  } else {
    bench = std::move(*best);
    waiting_.erase(best);
  }
  if (!bench->is_warm(trial)) make_room(running, left);
  parts_.enter(bench->part());
  return bench;
}

std::unique_ptr<Bench> Benches::make(cuda::Part part) {
  if (part.of > 1) try {
      return std::make_unique<Bench>(device_, part);
    } catch (const Error& problem) {
      log_(device_.str() + " is not divided among its trials: " + problem.what());
      parts_ = Parts(1);
    }
  return std::make_unique<Bench>(device_);
}

// Steps that nobody may want again make room for a new one: of the benches that wait, and of the
// one that a running trial leaves.
void Benches::make_room(int running, Bench* left) {
  std::vector<Bench*> idle;
  for (const auto& bench : waiting_)
    if (bench->has_step()) idle.push_back(bench.get());
  if (left && left->has_step()) idle.push_back(left);
  const auto most = static_cast<std::size_t>(std::max(0, slots_ - running));
  for (std::size_t i = 0; i + most < idle.size(); ++i) idle[i]->drop_step();
}

}  // namespace occam
