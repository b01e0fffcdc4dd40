#include "orchestrator/coordinator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "experiments/cost.h"

namespace occam {

template <>
std::span<const std::string_view> names_of<Order>() {
  static constexpr std::string_view names[] = {"seed-major", "longest"};
  return names;
}

bool Coordinator::Before::operator()(std::size_t a, std::size_t b) const {
  const bool by_seed = self->options_.order == Order::seed_major;
  const auto key = [&](std::size_t i) {
    const Task& task = self->tasks_[i];
    return std::tuple(by_seed ? task.seed_rank : 0, -task.work, i);
  };
  return key(a) < key(b);
}

Coordinator::Coordinator(std::vector<Task> tasks, CoordinatorOptions options)
    : tasks_(std::move(tasks)),
      options_(options),
      next_lease_(options.first_lease),
      time_left_(std::numeric_limits<double>::infinity()),
      time_in_all_(time_left_),
      pending_(Before{this}) {
  admit(0);
}

void Coordinator::admit(std::size_t from) {
  suspect_.resize(tasks_.size(), false);
  cancelled_.resize(tasks_.size(), false);
  for (std::size_t i = from; i < tasks_.size(); ++i) {
    if (tasks_[i].failed_attempts >= options_.max_attempts) {
      ++failed_;
      continue;
    }
    await(i);
  }
}

std::vector<Command> Coordinator::add(std::vector<Task> tasks) {
  const std::size_t from = tasks_.size();
  tasks_.insert(tasks_.end(), std::make_move_iterator(tasks.begin()),
                std::make_move_iterator(tasks.end()));
  admit(from);
  std::vector<Command> commands;
  fill(commands);
  return commands;
}

// A suspect gets all slots.
std::int64_t Coordinator::share(std::size_t task, const Worker& worker) const {
  if (suspect_[task]) return worker.slots;
  std::int64_t wanted = (tasks_[task].images_per_step * worker.slots + kFillsGpu - 1) / kFillsGpu;
  if (const auto least = least_share_.find(task); least != least_share_.end())
    wanted = std::max(wanted, static_cast<std::int64_t>(
                                  std::ceil(least->second * static_cast<double>(worker.slots))));
  return std::clamp<std::int64_t>(wanted, 1, worker.slots);
}

void Coordinator::set_time_left(double seconds, double seconds_per_work) {
  if (std::isinf(time_left_)) time_in_all_ = seconds;
  time_left_ = seconds;
  seconds_per_work_ = seconds_per_work;
}

bool Coordinator::worth_starting(std::size_t task) const {
  const double all = tasks_[task].work * seconds_per_work_ / tasks_[task].speedup;
  const double least = options_.checkpoint_every;
  // A run that is shorter than that gets nowhere unless its attempts are, too.
  return time_left_ >= std::min(all > 0 ? std::min(all, least) : least, time_in_all_ / 2);
}

// How many workers beside this could take trials.
std::size_t Coordinator::others(WorkerId worker) const {
  std::size_t others = workers_.size() - workers_.count(worker);
  for (const WorkerId& id : quarantined_) others -= id != worker && workers_.count(id) > 0;
  return others;
}

// The freest worker, but for a task that failed one that it did not fail on. Where that is busy,
// better at once in the same place than hours later in another; but for the last attempt.
std::set<Coordinator::Open>::iterator Coordinator::place_for(std::size_t task) {
  const auto failed_on = failed_on_.find(task);
  if (failed_on == failed_on_.end()) return open_.begin();
  for (auto one = open_.begin(); one != open_.end(); ++one)
    if (one->worker != failed_on->second) return one;
  const bool last = tasks_[task].failed_attempts + 1 >= options_.max_attempts;
  return last && has_other(failed_on->second) ? open_.end() : open_.begin();
}

void Coordinator::set_free(WorkerId id, Worker& worker, std::int64_t free) {
  open_.erase({worker.free, id});
  worker.free = free;
  if (free > 0 && !worker.ending && !quarantined_.count(id)) open_.insert({free, id});
}

// Tasks go to the worker with most free slots. One that finds too few anywhere keeps the freest
// worker for itself, rather than being overtaken for ever; and so does a gang with as many workers
// as it needs: what it holds runs empty while others come free.
void Coordinator::fill(std::vector<Command>& commands) {
  if (draining_) return;
  std::vector<Open> kept;
  bool short_of_time = false;
  std::int32_t nowhere = std::numeric_limits<std::int32_t>::max();  // no gang from this size on
  for (auto next = pending_.begin(); next != pending_.end() && !open_.empty();) {
    const std::size_t task = *next;
    if (!worth_starting(task)) {
      short_of_time = true;
      ++next;
      continue;
    }
    if (const std::int32_t gpus = tasks_[task].gpus; gpus > 1) {
      const std::vector<Open> members = gpus < nowhere ? gather(task) : std::vector<Open>{};
      if (members.empty()) nowhere = std::min(nowhere, gpus);
      for (const Open& one : members) open_.erase(one);
      const bool ready = static_cast<std::int32_t>(members.size()) == gpus &&
                         std::all_of(members.begin(), members.end(),
                                     [&](const Open& one) { return is_whole(one); });
      if (ready) {
        next = pending_.erase(next);
        start_gang(task, members, commands);
      } else {
        kept.insert(kept.end(), members.begin(), members.end());
        ++next;
      }
      continue;
    }
    const auto place = place_for(task);
    if (place == open_.end()) {
      ++next;
      continue;
    }
    const WorkerId id = place->worker;
    Worker& worker = workers_.at(id);
    const std::int64_t wanted = share(task, worker);
    if (wanted > worker.free || (suspect_[task] && !worker.leases.empty())) {
      kept.push_back(*place);
      open_.erase(place);
      ++next;
      continue;
    }
    next = pending_.erase(next);
    const std::int64_t lease = next_lease_++;
    running_[lease] = {task, id, wanted};
    worker.leases.insert(lease);
    set_free(id, worker, worker.free - wanted);
    commands.push_back(StartTrial{id, task, lease,
                                  static_cast<double>(wanted) / static_cast<double>(worker.slots)});
  }
  open_.insert(kept.begin(), kept.end());
  out_of_time_ = short_of_time && running_.empty();
}

std::vector<Command> Coordinator::on_joined(WorkerId worker, std::int64_t slots) {
  slots = std::max<std::int64_t>(1, slots);
  std::vector<Command> commands;
  // A worker that says it twice has no more slots than before.
  const auto [joined, is_new] = workers_.try_emplace(worker, Worker{slots, 0});
  if (!is_new) return commands;
  ++joined_[worker.node];
  set_free(worker, joined->second, slots);
  spare_the_last();
  fill(commands);
  return commands;
}

void Coordinator::leave(std::int64_t lease, WorkerId id, std::int64_t share,
                        std::vector<Command>& commands) {
  const auto worker = workers_.find(id);
  if (worker == workers_.end()) return;
  worker->second.leases.erase(lease);
  set_free(id, worker->second, worker->second.free + share);
  if (worker->second.ending && worker->second.leases.empty()) commands.push_back(EndWorker{id});
}

// The attempt has ended; the other members of a gang are still to leave.
void Coordinator::release(std::int64_t lease, std::vector<Command>& commands) {
  const Running run = running_.at(lease);
  running_.erase(lease);
  if (run.scoring)
    if (const auto worker = workers_.find(run.worker); worker != workers_.end())
      --worker->second.scoring;
  leave(lease, run.worker, run.scoring ? 0 : run.share, commands);
  const auto gang = gangs_.find(lease);
  if (gang == gangs_.end()) return;
  gang->second.present.erase(run.worker);
  gang->second.attempt_ended = true;
  if (!gang->second.broken) dismiss(lease, gang->second, commands);
  close_if_empty(lease, commands);
}

void Coordinator::await(std::size_t task) {
  if (cancelled_[task]) return;
  const std::int32_t gpus = tasks_[task].gpus;
  if (gpus > 1 && !crew_.empty() && gpus > crew_size()) {
    too_large_.insert(task);
    return;
  }
  largest_gang_ = std::max<std::size_t>(largest_gang_, gpus);
  pending_.insert(task);
}

// One more attempt that counts: tried again, or failed for good.
void Coordinator::fail(std::size_t task, WorkerId worker, std::vector<Command>& commands) {
  failed_on_[task] = worker;
  if (++tasks_[task].failed_attempts >= options_.max_attempts)
    ++failed_;
  else
    await(task);

  std::set<std::size_t>& failed = failed_tasks_[worker];
  failed.insert(task);
  if (static_cast<std::int64_t>(failed.size()) < options_.quarantine_after ||
      others(worker) < largest_gang_ || !quarantined_.insert(worker).second)
    return;
  commands.push_back(Quarantine{worker, failed.size()});
  const auto joined = workers_.find(worker);
  if (joined != workers_.end()) set_free(worker, joined->second, joined->second.free);
}

// Better a bad worker than none, or than a gang that never comes together.
void Coordinator::spare_the_last() {
  if (workers_.empty() || others({-1, -1}) >= largest_gang_) return;
  for (const WorkerId& id : std::exchange(quarantined_, {}))
    if (const auto joined = workers_.find(id); joined != workers_.end())
      set_free(id, joined->second, joined->second.free);
}

std::vector<Command> Coordinator::on_lost(WorkerId worker, const std::string& reason,
                                          std::int64_t culprit) {
  std::vector<Command> commands;
  const auto lost = workers_.find(worker);
  if (lost == workers_.end()) return commands;
  const std::set<std::int64_t> leases = std::move(lost->second.leases);
  open_.erase({lost->second.free, worker});
  workers_.erase(lost);
  --joined_[worker.node];
  if (leases.size() == 1) culprit = *leases.begin();
  for (const std::int64_t lease : leases) {
    if (gangs_.count(lease)) {
      lose_member(lease, worker, reason, commands);
      continue;
    }
    const std::size_t task = running_.at(lease).task;
    const bool gained = running_.at(lease).gained;
    release(lease, commands);
    if (lease == culprit && !gained) {
      commands.push_back(EndAttempt{lease, AttemptState::failed, reason});
      fail(task, worker, commands);
    } else {
      commands.push_back(EndAttempt{lease, AttemptState::lost, reason});
      if (!leases.count(culprit)) suspect_[task] = true;
      await(task);
    }
  }
  spare_the_last();
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::on_outcome(std::int64_t lease, OutcomeStatus status) {
  const auto [task, worker, share, gained, scoring] = running_.at(lease);
  std::vector<Command> commands;
  std::vector<WorkerId> took_part{worker};
  if (const auto gang = gangs_.find(lease); gang != gangs_.end()) took_part = gang->second.all;
  release(lease, commands);
  suspect_[task] = false;
  if (status == OutcomeStatus::failed)
    fail(task, worker, commands);
  else
    for (const WorkerId& id : took_part) failed_tasks_.erase(id);
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::on_unscored(std::int64_t lease, const std::string& error,
                                              bool trains) {
  const std::size_t task = task_of(lease);
  std::vector<Command> commands{EndAttempt{lease, AttemptState::lost, error}};
  release(lease, commands);
  if (trains) {
    await(task);
  } else {
    tasks_[task].failed_attempts = options_.max_attempts;
    ++failed_;
  }
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::on_out_of_memory(std::int64_t lease, const std::string& error) {
  const auto [task, id, taken, gained, scoring] = running_.at(lease);
  if (gangs_.count(lease)) return on_left(id, lease, error, true);
  const std::int64_t slots = workers_.at(id).slots;
  // Beside others, be it that they are only scored.
  const bool alone = workers_.at(id).leases.size() == 1;
  std::vector<Command> commands;
  release(lease, commands);
  suspect_[task] = taken == slots && !alone;
  if (taken < slots)
    least_share_[task] = 2 * static_cast<double>(taken) / static_cast<double>(slots);
  const bool again = taken < slots || !alone || widen(task);
  commands.push_back(EndAttempt{lease, again ? AttemptState::lost : AttemptState::failed, error});
  if (again)
    await(task);
  else
    fail(task, id, commands);
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::on_scoring(std::int64_t lease) {
  Running& run = running_.at(lease);
  Worker& worker = workers_.at(run.worker);
  std::vector<Command> commands;
  if (run.scoring || suspect_[run.task] || gangs_.count(lease) || worker.scoring >= worker.slots)
    return commands;
  run.scoring = true;
  ++worker.scoring;
  set_free(run.worker, worker, worker.free + run.share);
  fill(commands);
  return commands;
}

void Coordinator::on_saved(std::int64_t lease, std::int64_t step) {
  Running& run = running_.at(lease);
  std::int64_t& furthest = furthest_.try_emplace(run.task, 0).first->second;
  if (step <= furthest) return;
  furthest = step;
  run.gained = true;
}

std::vector<Command> Coordinator::on_stopped(std::int64_t lease) {
  std::vector<Command> commands{EndAttempt{lease, AttemptState::stopped, ""}};
  await(running_.at(lease).task);
  release(lease, commands);
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::cancel(std::size_t task) {
  std::vector<Command> commands;
  cancelled_[task] = true;
  pending_.erase(task);
  too_large_.erase(task);
  std::int64_t in_gang = 0;
  for (const auto& [lease, run] : running_) {
    if (run.task != task) continue;
    if (gangs_.count(lease)) {
      in_gang = lease;
      continue;
    }
    Worker& worker = workers_.at(run.worker);
    if (!std::exchange(worker.ending, true)) commands.push_back(StopWorker{run.worker});
    set_free(run.worker, worker, worker.free);
  }
  if (in_gang != 0) {
    break_gang(in_gang, AttemptState::stopped, "", {}, commands);
    fill(commands);
  }
  return commands;
}

std::vector<Command> Coordinator::retry(std::size_t task) {
  std::vector<Command> commands;
  if (std::exchange(tasks_[task].failed_attempts, 0) >= options_.max_attempts) --failed_;
  cancelled_[task] = false;
  failed_on_.erase(task);
  furthest_.erase(task);  // it may begin from nothing
  const bool runs = std::any_of(running_.begin(), running_.end(),
                                [&](const auto& one) { return one.second.task == task; });
  if (!runs) await(task);
  fill(commands);
  return commands;
}

std::vector<Command> Coordinator::drain() {
  draining_ = true;
  std::vector<Command> commands;
  // What is not together yet would wait for members that never come.
  std::vector<std::int64_t> waiting;
  for (const auto& [lease, gang] : gangs_)
    if (!gang.has_ticket && !gang.attempt_ended) waiting.push_back(lease);
  for (const std::int64_t lease : waiting)
    break_gang(lease, AttemptState::stopped, "", {}, commands);
  for (const auto& [id, worker] : workers_) commands.push_back(StopWorker{id});
  return commands;
}

std::size_t Coordinator::running_on(int node) const {
  std::size_t count = 0;
  for (const auto& [id, worker] : workers_) count += id.node == node ? worker.leases.size() : 0;
  return count;
}

bool Coordinator::is_running(WorkerId worker, std::int64_t lease) const {
  const auto found = running_.find(lease);
  if (found == running_.end() || found->second.worker != worker) return false;
  const auto gang = gangs_.find(lease);
  return gang == gangs_.end() || gang->second.present.count(worker) > 0;
}

}  // namespace occam
