#include "orchestrator/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <random>
#include <tuple>

#include "experiments/cost.h"
#include "experiments/disk.h"
#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {

namespace {

// Times, leases and failures of one simulation.
class Simulator {
 public:
  Simulator(const std::vector<Task>& tasks, const std::vector<Pace>& paces, int workers, int slots,
            const Failures& failures)
      : workers_(workers),
        slots_(slots),
        paces_(paces),
        failures_(failures),
        random_(failures.seed),
        // A machine that fails is no fault of a trial.
        coordinator_(tasks, {.max_attempts = std::numeric_limits<std::int64_t>::max()}) {
    for (const Pace& pace : paces) left_.push_back(pace.alone);
    for (const Task& task : tasks) first_seeds_ += task.seed_rank == 0;
  }

  Simulation run() {
    std::map<int, std::int64_t> crew;
    for (int worker = 0; worker < workers_; ++worker) ++crew[id_of(worker).node];
    start(coordinator_.set_crew(std::move(crew)));
    for (int worker = 0; worker < workers_; ++worker) join(worker);
    if (failures_.every > 0 && workers_ > 0) events_.push({pause(), Event::failure, 0});
    while (!coordinator_.finished() && workers_ > 0) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      switch (event.what) {
        case Event::end:
          end(event.number, event.version);
          break;
        case Event::failure:
          check_hope();
          fail(static_cast<int>(random_() % static_cast<std::uint64_t>(workers_)));
          events_.push({now_ + pause(), Event::failure, 0});
          break;
        case Event::back:
          join(static_cast<int>(event.number));
          break;
      }
      if (first_idle_ < 0 && coordinator_.pending() == 0) first_idle_ = now_;
    }
    result_.wall_seconds = now_;
    result_.tail_seconds = first_idle_ < 0 ? 0 : now_ - first_idle_;
    return result_;
  }

 private:
  struct Event {
    double at;
    enum What { end, failure, back } what;
    std::int64_t number;  // the lease that ends, the worker that is back
    int version = 0;      // an end that came to be at another time is not the run's latest
    bool operator>(const Event& other) const {
      return std::tie(at, what, number) > std::tie(other.at, other.what, other.number);
    }
  };
  struct Running {
    std::size_t task;
    std::vector<WorkerId> workers;  // by rank
    double since, share;
    double left_then;      // of left_, at its start
    double updated, rate;  // since then left_ falls by so much a second
    int version = 0;
  };
  static WorkerId id_of(int worker) { return {worker / kWorkersPerNode, worker % kWorkersPerNode}; }

  // Until the next failure: exponential, by inversion, the same on every machine.
  double pause() {
    const double uniform = static_cast<double>(random_() >> 11) / static_cast<double>(1ULL << 53);
    return -std::log1p(-uniform) * failures_.every;
  }

  void join(int worker) { start(coordinator_.on_joined(id_of(worker), slots_)); }

  // Members join and leave at once.
  void start(const std::vector<Command>& commands) {
    for (const Command& command : commands) {
      if (const auto* leave = std::get_if<LeaveGang>(&command))
        start(coordinator_.on_left(leave->worker, leave->lease, ""));
      const auto* one = std::get_if<StartTrial>(&command);
      if (!one) continue;
      if (one->rank > 0) {
        running_.at(one->lease).workers.push_back(one->worker);
        continue;
      }
      running_[one->lease] = {one->task,        {one->worker}, now_, one->share,
                              left_[one->task], now_,          0};
      on_worker_[one->worker].push_back(one->lease);
      set_rates(one->worker);
      if (one->size > 1) start(coordinator_.on_ticket(one->lease, "ticket"));
    }
  }

  double rate_of(const Running& run, std::size_t others) const {
    const Task& task = coordinator_.tasks()[run.task];
    if (task.gpus > 1) return static_cast<double>(task.speedup);
    const Pace& pace = paces_[run.task];
    if (others == 0 || pace.beside == 0) return 1;
    return pace.alone / pace.seconds(static_cast<double>(others));
  }

  // Of the worker's trials, as many as they are now.
  void set_rates(WorkerId worker) {
    const std::vector<std::int64_t>& leases = on_worker_[worker];
    for (const std::int64_t lease : leases) {
      Running& run = running_.at(lease);
      const double rate = rate_of(run, leases.size() - 1);
      if (rate == run.rate) continue;
      left_[run.task] -= (now_ - run.updated) * run.rate;
      run.updated = now_;
      run.rate = rate;
      events_.push({now_ + left_[run.task] / rate, Event::end, lease, ++run.version});
    }
  }

  void take_from_worker(std::int64_t lease, WorkerId worker) {
    std::erase(on_worker_[worker], lease);
    set_rates(worker);
  }
  static double seconds(const Running& run, double each) {
    return each * run.share * static_cast<double>(run.workers.size());
  }

  void end(std::int64_t lease, int version) {
    const auto found = running_.find(lease);
    // A failure came before, or others came or went beside it.
    if (found == running_.end() || found->second.version != version) return;
    result_.worker_seconds += seconds(found->second, now_ - found->second.since);
    const bool first_seed = coordinator_.tasks()[found->second.task].seed_rank == 0;
    const WorkerId worker = found->second.workers.front();
    running_.erase(found);
    take_from_worker(lease, worker);
    if (first_seed && --first_seeds_ == 0) {
      result_.first_seeds_seconds = now_;
      result_.first_seeds_worker_seconds = result_.worker_seconds;
      for (const auto& [other, run] : running_)
        result_.first_seeds_worker_seconds += seconds(run, now_ - run.since);
    }
    start(coordinator_.on_outcome(lease, OutcomeStatus::completed));
  }

  // Where trials come to no end, neither would this.
  void check_hope() {
    constexpr std::int64_t kMostEach = 1000, kMost = 10'000'000;
    const auto trials = static_cast<std::int64_t>(coordinator_.tasks().size());
    if (++struck_ < kMost && result_.failures < kMostEach * trials) return;
    throw UsageError("with a failure every " + shortest(failures_.every) +
                     " s trials hardly come to an end: after " + std::to_string(struck_) +
                     " of them " + std::to_string(coordinator_.pending() + coordinator_.running()) +
                     " of " + std::to_string(trials) +
                     " trials are left; checkpoint more often (--checkpoint-every), or give a " +
                     "larger --mtbf");
  }

  void fail(int worker) {
    bool joined = false;
    for (auto one = running_.begin(); one != running_.end();) {
      const Running& run = one->second;
      if (std::find(run.workers.begin(), run.workers.end(), id_of(worker)) == run.workers.end()) {
        ++one;
        continue;
      }
      joined = true;
      const double spent = now_ - run.since;
      const double kept =
          std::floor(spent / failures_.checkpoint_every) * failures_.checkpoint_every;
      const double done = run.left_then - left_[run.task] + (now_ - run.updated) * run.rate;
      left_[run.task] = run.left_then - (spent > 0 ? done * kept / spent : 0);
      result_.worker_seconds += seconds(run, kept);
      result_.lost_seconds += seconds(run, spent - kept);
      const WorkerId first = run.workers.front();
      const std::int64_t lease = one->first;
      one = running_.erase(one);
      take_from_worker(lease, first);
    }
    if (!joined) return;  // idle, or down already
    ++result_.failures;
    start(coordinator_.on_lost(id_of(worker), "failed"));
    events_.push({now_ + failures_.restart, Event::back, worker});
  }

  int workers_, slots_;
  std::int64_t struck_ = 0;  // failures, also of workers that were down or idle
  const std::vector<Pace>& paces_;
  Failures failures_;
  std::mt19937_64 random_;
  Coordinator coordinator_;
  std::vector<double> left_;     // seconds of each task, were its worker its own
  std::size_t first_seeds_ = 0;  // tasks that are to end yet
  std::map<std::int64_t, Running> running_;
  std::map<WorkerId, std::vector<std::int64_t>> on_worker_;  // leases, of a gang at its first
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  double now_ = 0, first_idle_ = -1;
  Simulation result_;
};

}  // namespace

Simulation simulate(const std::vector<Task>& tasks, const std::vector<Pace>& paces, int workers,
                    int slots, const Failures& failures) {
  return Simulator(tasks, paces, workers, slots, failures).run();
}

DiskNeed disk_need(const MissingWork& work, std::size_t running) {
  DiskNeed need;
  std::vector<double> checkpoints;
  for (const Start& start : work.starts) {
    if (start.keep.score_only) continue;
    if (start.keep.features) need.features += kept_bytes(start.config, start.evaluations);
    checkpoints.push_back(checkpoint_bytes(start.config));
  }
  const auto add_up_largest = [&](std::size_t count) {
    const auto most =
        checkpoints.begin() + static_cast<std::ptrdiff_t>(std::min(count, checkpoints.size()));
    std::partial_sort(checkpoints.begin(), most, checkpoints.end(), std::greater<>());
    return std::accumulate(checkpoints.begin(), most, 0.0);
  };
  need.checkpoints = add_up_largest(running) + add_up_largest(2 * running);
  return need;
}

}  // namespace occam
