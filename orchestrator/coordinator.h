#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "experiments/trial.h"
#include "results/store.h"

namespace occam {

// A worker's number on its node; a node is an MPI rank.
struct WorkerId {
  int node;
  std::int64_t number;
  auto operator<=>(const WorkerId&) const = default;  // NOLINT(modernize-use-nullptr): its bug
};

// A trial that has no outcome yet, as the coordinator sees it.
struct Task {
  std::string trial;             // its id
  std::int64_t seed_rank;        // 0 for every cell's first seed, 1 for the second, …
  double work;                   // multiply-accumulates, or any unit that is one for all
  std::int64_t images_per_step;  // full_images_per_step (cost.h): its share of a worker
  std::int64_t failed_attempts;  // so far, that count
  // A trial of more than one is trained by a gang of so many workers, each of them wholly its own.
  std::int32_t gpus = 1;
  // The most that it may be given when the memory of so many is too small; a power of two times it.
  std::int32_t most_gpus = 1;
  float speedup = 1;  // of its gang over one worker, as predicted
};

enum class Order { seed_major, longest };
template <>
std::span<const std::string_view> names_of<Order>();

struct CoordinatorOptions {
  std::int64_t max_attempts = 3;  // that count: failures by the trial's own fault
  Order order = Order::seed_major;
  std::int64_t first_lease = 1;
  // A worker on which so many different trials failed, and none came out between, gets no more.
  std::int64_t quarantine_after = 3;
  double checkpoint_every = 300;  // seconds: what an attempt needs at most to be worth its start
};

// What the coordinator wants done.
struct StartTrial {
  WorkerId worker;
  std::size_t task;
  std::int64_t lease;
  double share;                     // of the worker, in (0, 1]
  std::int64_t rank = 0, size = 1;  // in its gang; 1 is none
  std::string ticket = {};          // of ranks above 0
};
// The attempt's gang has ended or broken; the worker answers `left`.
struct LeaveGang {
  WorkerId worker;
  std::size_t task;
  std::int64_t lease;
};
struct EndAttempt {  // in the store; outcomes end theirs themselves
  std::int64_t lease;
  AttemptState state;
  std::string error;
};
struct StopWorker {
  WorkerId worker;
};
struct EndWorker {  // nothing runs in it; its agent starts it anew
  WorkerId worker;
};
struct Quarantine {  // for the user to know: it gets no more trials
  WorkerId worker;
  std::size_t failed_trials;
};
using Command = std::variant<StartTrial, LeaveGang, EndAttempt, StopWorker, EndWorker, Quarantine>;

// Decides which trial runs where and what a failure means. A pure state machine: no clock, no I/O,
// no thread; the same for a real sweep and for `occam plan`.
//
// A trial takes a share of a worker's slots. Attempts are numbered by leases, which only grow. When
// a worker ends with several trials in it and no culprit is known, each is a suspect and is tried
// again alone, so that only the culprit's attempts count; and of these only one that left no
// checkpoint further than all before it, since what kills workers from outside strikes anywhere. A
// trial that failed goes to another
// worker where one is free, and its last attempt waits for one. A worker that fails one trial after
// the other is quarantined, unless too few others are left.
//
// A trial of several GPUs takes that many whole workers, its gang, which it keeps for itself as
// they come free: on one node where a node has so many, else on as few as can be. Its rank 0 starts
// first, alone; with its ticket the others start, under the same lease, and rank 0's word on the
// attempt is the gang's. Each member is held until it has left. When one is lost, or leaves with a
// reason, the gang breaks: the others are asked to leave, and once all have, the attempt has ended,
// by the trial's fault as if it had been alone in a worker, for the reason of the member that was
// lost, or else the first one given. A reserved worker that is lost before its start is nobody's
// fault.
class Coordinator {
 public:
  Coordinator(std::vector<Task> tasks, CoordinatorOptions options);
  Coordinator(const Coordinator&) = delete;  // pending_ knows where it lives

  std::vector<Command> on_joined(WorkerId worker, std::int64_t slots);
  // `culprit` is the lease of the attempt that is known to have ended it, or 0.
  std::vector<Command> on_lost(WorkerId worker, const std::string& reason,
                               std::int64_t culprit = 0);
  // An outcome that the store has taken (completed or diverged), or an attempt that failed.
  std::vector<Command> on_outcome(std::int64_t lease, OutcomeStatus status);
  // The trial could not be scored by what an earlier attempt had kept of it, which is no fault of a
  // training: the attempt does not count. It is trained, or where nothing `trains`, given up.
  std::vector<Command> on_unscored(std::int64_t lease, const std::string& error, bool trains);
  // An attempt for which the device's memory was too small: beside others it is tried again with
  // twice the share, or alone where that is all, and does not count; with the worker to itself it
  // has failed.
  std::vector<Command> on_out_of_memory(std::int64_t lease, const std::string& error);
  std::vector<Command> on_stopped(std::int64_t lease);
  // The attempt needs its slots no more, only its worker, and is scored while another runs there:
  // at most as many as the worker has slots.
  std::vector<Command> on_scoring(std::int64_t lease);
  // The attempt has left a checkpoint after so many of its trial's steps.
  void on_saved(std::int64_t lease, std::int64_t step);
  // Rank 0's ticket.
  std::vector<Command> on_ticket(std::int64_t lease, const std::string& ticket);
  // A member has left its gang: its part is done, or it was asked to, or for a reason. From others
  // it means nothing.
  std::vector<Command> on_left(WorkerId worker, std::int64_t lease, const std::string& reason,
                               bool out_of_memory = false);
  // How many workers each node has or will have. Trials that want more than all of them wait, and
  // nothing waits for them. Until this is said, only workers that joined are counted on.
  std::vector<Command> set_crew(std::map<int, std::int64_t> workers);
  // Before its first attempt.
  void set_gang(std::size_t task, std::int32_t gpus, std::int32_t most_gpus, float speedup);
  // More work for the same sweep; its tasks follow those that are there.
  std::vector<Command> add(std::vector<Task> tasks);
  // The trial is not wanted any more. A running one is stopped with its worker, whose other trials
  // go on from their checkpoints.
  std::vector<Command> cancel(std::size_t task);
  // The trial, which has no outcome, has all its attempts again, also when it was cancelled.
  std::vector<Command> retry(std::size_t task);
  // How long workers may run from now, and what a unit of work takes in seconds (0 is unknown):
  // nothing starts that could neither end nor reach a checkpoint in that time, unless half of
  // what the first call says would not be enough for that.
  void set_time_left(double seconds, double seconds_per_work);
  // Starts nothing more and asks every worker to stop.
  std::vector<Command> drain();

  // Whether this worker speaks for the attempt: its own, or of its gang the first. False for an
  // attempt that has ended here, whatever its worker says later, or that runs elsewhere.
  bool is_running(WorkerId worker, std::int64_t lease) const;
  // Whether the worker is held by that attempt's gang.
  bool is_member(WorkerId worker, std::int64_t lease) const;
  // Its gang has lost a member: what fails in it now is no more than a consequence.
  bool is_broken(std::int64_t lease) const;
  std::size_t task_of(std::int64_t lease) const { return running_.at(lease).task; }

  const std::vector<Task>& tasks() const { return tasks_; }
  std::size_t running() const { return running_.size(); }
  std::size_t running_on(int node) const;
  std::size_t pending() const { return pending_.size() + too_large_.size(); }
  std::size_t too_large() const { return too_large_.size(); }  // for all workers there are
  std::size_t workers_wanted() const;             // by what is pending, at least one a trial
  std::size_t failed() const { return failed_; }  // for good
  bool is_cancelled(std::size_t task) const { return cancelled_[task]; }
  // Nothing runs and nothing will: all done, drained, or too little time for what is left.
  bool finished() const {
    return running_.empty() && (pending_.empty() || draining_ || out_of_time_);
  }

 private:
  // The workers of a gang, of an attempt that runs, or that has ended and whose last members are
  // still to leave.
  struct Members {
    std::size_t task;
    std::vector<WorkerId> all;   // by rank
    std::set<WorkerId> present;  // hold a worker still
    bool has_ticket = false;     // all are started, not rank 0 alone
    bool attempt_ended = false;  // by rank 0's word
    bool broken = false;         // and the attempt ends when all have left, so:
    AttemptState end = AttemptState::failed;
    std::string reason = {};
    WorkerId blamed = {};  // if it failed
    bool out_of_memory = false;
    bool lost_one = false;  // which is the reason
  };
  using Gangs = std::map<std::int64_t, Members>;  // by lease
  struct Worker {
    std::int64_t slots;
    std::int64_t free;
    std::set<std::int64_t> leases = {};
    bool ending = false;       // once it is empty, for a trial that was cancelled
    std::int64_t scoring = 0;  // of the leases
  };
  struct Running {
    std::size_t task;
    WorkerId worker;
    std::int64_t share;
    bool gained = false;   // has saved a step that no attempt had before
    bool scoring = false;  // its share is free
  };
  struct Before {  // the order in which pending tasks start
    const Coordinator* self;
    bool operator()(std::size_t a, std::size_t b) const;
  };
  // A worker with free slots, the freest first.
  struct Open {
    std::int64_t free;
    WorkerId worker;
    bool operator<(const Open& other) const {
      return free != other.free ? free > other.free : worker < other.worker;
    }
  };

  void admit(std::size_t from);
  void fill(std::vector<Command>& commands);
  std::map<int, std::int64_t> usable_workers() const;
  std::vector<Open> gather(std::size_t task) const;
  bool is_whole(const Open& open) const {
    const Worker& worker = workers_.at(open.worker);
    return open.free == worker.slots && worker.leases.empty();
  }
  void start_gang(std::size_t task, const std::vector<Open>& members,
                  std::vector<Command>& commands);
  void dismiss(std::int64_t lease, Members& gang, std::vector<Command>& commands);
  void break_gang(std::int64_t lease, AttemptState end, const std::string& reason, WorkerId blamed,
                  std::vector<Command>& commands);
  void lose_member(std::int64_t lease, WorkerId worker, const std::string& reason,
                   std::vector<Command>& commands);
  std::int64_t crew_size() const;
  void close_if_empty(std::int64_t lease, std::vector<Command>& commands);
  bool widen(std::size_t task);
  std::int64_t share(std::size_t task, const Worker& worker) const;
  bool worth_starting(std::size_t task) const;
  std::size_t others(WorkerId worker) const;
  bool has_other(WorkerId worker) const { return others(worker) > 0; }
  std::set<Open>::iterator place_for(std::size_t task);
  void set_free(WorkerId id, Worker& worker, std::int64_t free);
  void leave(std::int64_t lease, WorkerId worker, std::int64_t share,
             std::vector<Command>& commands);
  void release(std::int64_t lease, std::vector<Command>& commands);
  void spare_the_last();
  void await(std::size_t task);
  void fail(std::size_t task, WorkerId worker, std::vector<Command>& commands);

  std::vector<Task> tasks_;
  CoordinatorOptions options_;
  std::int64_t next_lease_;
  bool draining_ = false, out_of_time_ = false;
  double time_left_, time_in_all_, seconds_per_work_ = 0;
  std::size_t failed_ = 0;
  std::vector<bool> suspect_, cancelled_;
  std::set<std::size_t, Before> pending_;
  std::map<WorkerId, Worker> workers_;
  std::set<Open> open_;
  std::unordered_map<std::int64_t, Running> running_;       // by lease
  std::unordered_map<std::size_t, std::int64_t> furthest_;  // step saved, by task
  std::map<std::size_t, double> least_share_;               // of tasks that ran out of memory
  std::map<std::size_t, WorkerId> failed_on_;               // by task
  std::map<WorkerId, std::set<std::size_t>> failed_tasks_;  // since it brought something
  std::set<WorkerId> quarantined_;
  Gangs gangs_;
  std::map<int, std::int64_t> crew_, joined_;  // workers a node: expected, and there now
  std::set<std::size_t> too_large_;            // gangs that all workers would not suffice for
  std::size_t largest_gang_ = 1;               // of those that can be
};

}  // namespace occam
