#include "worker/train/build_thread.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace occam {
namespace {

std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

class BuildThread {
 public:
  BuildThread() : thread_([this] { work(); }) { thread_.detach(); }
  std::future<void> add(std::packaged_task<void()> task) {
    std::future<void> result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    filled_.notify_one();
    return result;
  }

 private:
  [[noreturn]] void work() {
    while (true) {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return !tasks_.empty(); });
      std::packaged_task<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      const std::lock_guard alone(one_at_a_time());
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::packaged_task<void()>> tasks_;
  std::thread thread_;
};

}  // namespace

void on_build_thread(int processors, const std::function<void()>& work) {
  // Never destroyed: the threads live as long as the process.
  static std::mutex mutex;
  static auto* const threads = new std::map<int, BuildThread*>;
  BuildThread* thread = nullptr;
  {
    const std::lock_guard lock(mutex);
    BuildThread*& known = (*threads)[processors];
    if (!known) known = new BuildThread;
    thread = known;
  }
  thread->add(std::packaged_task<void()>(work)).get();
}

}  // namespace occam
