#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "experiments/trial.h"
#include "results/store.h"

namespace occam {

// A worker's number on its node; a node is an MPI rank.
struct WorkerId {
  int node;
  std::int64_t number;
  auto operator<=>(const WorkerId&) const = default;
};

// A trial that has no outcome yet, as the coordinator sees it.
struct Task {
  std::string trial;             // its id
  std::int64_t seed_rank;        // 0 for every cell's first seed, 1 for the second, …
  double work;                   // multiply-accumulates, or any unit that is one for all
  std::int64_t images_per_step;  // decides its share of a worker
  std::int64_t failed_attempts;  // so far, that count
};

enum class Order { seed_major, longest };
template <>
std::span<const std::string_view> names_of<Order>();

struct CoordinatorOptions {
  std::int64_t max_attempts = 3;  // that count: failures by the trial's own fault
  Order order = Order::seed_major;
  std::int64_t first_lease = 1;
};

// What the coordinator wants done.
struct StartTrial {
  WorkerId worker;
  std::size_t task;
  std::int64_t lease;
  double share;  // of the worker, in (0, 1]
};
struct EndAttempt {  // in the store; outcomes end theirs themselves
  std::int64_t lease;
  AttemptState state;
  std::string error;
};
struct StopWorker {
  WorkerId worker;
};
using Command = std::variant<StartTrial, EndAttempt, StopWorker>;

// Decides which trial runs where and what a failure means. A pure state machine: no clock, no I/O,
// no thread; the same for a real sweep and for `occam plan`.
//
// A trial takes a share of a worker's slots. Attempts are numbered by leases, which only grow. When
// a worker ends with several trials in it, each is a suspect and is tried again alone, so that only
// the culprit's attempts count.
class Coordinator {
 public:
  Coordinator(std::vector<Task> tasks, CoordinatorOptions options);
  Coordinator(const Coordinator&) = delete;  // pending_ knows where it lives

  std::vector<Command> on_joined(WorkerId worker, std::int64_t slots);
  std::vector<Command> on_lost(WorkerId worker, const std::string& reason);
  // An outcome that the store has taken (completed or diverged), or an attempt that failed.
  std::vector<Command> on_outcome(std::int64_t lease, OutcomeStatus status);
  std::vector<Command> on_stopped(std::int64_t lease);
  // Starts nothing more and asks every worker to stop.
  std::vector<Command> drain();

  // False for an attempt that has ended here, whatever its worker says later, or that runs
  // elsewhere.
  bool is_running(WorkerId worker, std::int64_t lease) const;
  std::size_t task_of(std::int64_t lease) const { return running_.at(lease).task; }

  const std::vector<Task>& tasks() const { return tasks_; }
  std::size_t running() const { return running_.size(); }
  std::size_t pending() const { return pending_.size(); }
  std::size_t failed() const { return failed_; }  // for good
  // Nothing runs and nothing will: all done, or drained.
  bool finished() const { return running_.empty() && (pending_.empty() || draining_); }

 private:
  struct Worker {
    std::int64_t slots;
    std::int64_t free;
  };
  struct Running {
    std::size_t task;
    WorkerId worker;
    std::int64_t share;
  };
  struct Before {  // the order in which pending tasks start
    const Coordinator* self;
    bool operator()(std::size_t a, std::size_t b) const;
  };

  std::vector<Command> fill();
  std::int64_t share(std::size_t task, const Worker& worker) const;
  void release(std::int64_t lease);
  void fail(std::size_t task);

  std::vector<Task> tasks_;
  CoordinatorOptions options_;
  std::int64_t next_lease_;
  bool draining_ = false;
  std::size_t failed_ = 0;
  std::vector<bool> suspect_;
  std::set<std::size_t, Before> pending_;
  std::map<WorkerId, Worker> workers_;
  std::map<std::int64_t, Running> running_;  // by lease
};

}  // namespace occam
