#pragma once

#include <ATen/Parallel.h>

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "worker/distributed/group.h"

namespace occam {

inline constexpr std::chrono::seconds kGangTimeout{60};

// Runs `work` as every member of a gang of this size, each on a thread of its own, and leaves in
// order; throws what the lowest of the failing ranks threw.
inline void as_gang(std::int64_t size, const std::function<void(Group&)>& work,
                    std::chrono::duration<double> timeout = kGangTimeout) {
  std::promise<std::string> made;
  const std::shared_future<std::string> ticket = made.get_future().share();
  std::vector<std::exception_ptr> problems(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        at::set_num_threads(1);
        const auto group = make_store_group({rank, size, rank == 0 ? "" : ticket.get()}, timeout);
        group->join([&](const std::string& text) { made.set_value(text); });
        work(*group);
        group->leave();
      } catch (...) {
        problems[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& problem : problems)
    if (problem) std::rethrow_exception(problem);
}

}  // namespace occam
