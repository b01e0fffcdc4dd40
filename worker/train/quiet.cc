#include "worker/train/quiet.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace occam {
namespace {

std::atomic<int> wanted{0};
std::mutex mutex;
std::condition_variable ended;

}  // namespace

Quiet::Quiet() { ++wanted; }

Quiet::~Quiet() {
  {
    const std::lock_guard lock(mutex);
    --wanted;
  }
  ended.notify_all();
}

void Quiet::wait() {
  if (wanted == 0) return;
  std::unique_lock lock(mutex);
  ended.wait(lock, [] { return wanted == 0; });
}

}  // namespace occam
