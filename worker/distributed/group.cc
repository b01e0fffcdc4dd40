#include "worker/distributed/group.h"

#include <torch/types.h>

#include <algorithm>
#include <thread>

namespace occam {

using Clock = std::chrono::steady_clock;

Group::Group(const Gang& gang, std::chrono::duration<double> timeout)
    : rank_(gang.rank), size_(gang.size), ticket_(gang.ticket), timeout_(timeout) {}

std::optional<Group::SharedMemory> Group::share_memory(std::int64_t) { return std::nullopt; }

std::string Group::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

void Group::abort(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return;
    reason_ = reason;
    broken_ = true;
  }
  on_abort();
}

void Group::fail(const std::string& reason) {
  abort(reason);
  throw GroupBroken("the gang broke: " + this->reason());
}

void Group::check() {
  if (!broken_) poll();
  if (broken_) throw GroupBroken("the gang broke: " + reason());
}

void Group::wait(const std::function<bool()>& done) {
  const Clock::time_point began = Clock::now();
  // Short waits are met at once; long ones cost nothing.
  auto pause = std::chrono::microseconds(10);
  while (!done()) {
    check();
    if (Clock::now() - began > timeout_)
      fail("rank " + std::to_string(rank_) + " heard nothing of the others for " +
           std::to_string(static_cast<std::int64_t>(timeout_.count())) + " s");
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(500));
  }
  // What waited for others may have ended because nobody waits any more.
  if (broken_) check();
}

std::unique_ptr<Group> make_group([[maybe_unused]] torch::Device device, const Gang& gang,
                                  std::chrono::duration<double> timeout) {
#ifdef OCCAM_CUDA
  if (device.is_cuda()) return make_nccl_group(gang, timeout);
#endif
  return make_store_group(gang, timeout);
}

}  // namespace occam
