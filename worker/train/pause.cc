#include "worker/train/pause.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

namespace occam {
namespace {

struct Pauses {
  std::mutex mutex;
  std::condition_variable ended;
  int count = 0;
  std::chrono::steady_clock::time_point until;  // while there are some
  std::set<std::string> done;
};

// Never destroyed: a worker's threads outlive main().
Pauses& pauses() {
  static auto* const made = new Pauses;
  return *made;
}

}  // namespace

Pause::Pause() {
  constexpr std::chrono::seconds kMost(30);
  const std::lock_guard lock(pauses().mutex);
  if (pauses().count++ == 0) pauses().until = std::chrono::steady_clock::now() + kMost;
}

Pause::~Pause() {
  {
    const std::lock_guard lock(pauses().mutex);
    --pauses().count;
  }
  pauses().ended.notify_all();
}

void Pause::wait_for_end() {
  std::unique_lock lock(pauses().mutex);
  pauses().ended.wait_until(lock, pauses().until, [] { return pauses().count == 0; });
}

std::unique_ptr<Pause> pause_at_first(const std::string& what) {
  {
    const std::lock_guard lock(pauses().mutex);
    if (!pauses().done.insert(what).second) return nullptr;
  }
  return std::make_unique<Pause>();
}

}  // namespace occam
