#include "orchestrator/coordinator.h"

#include <algorithm>
#include <tuple>

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
      suspect_(tasks_.size(), false),
      pending_(Before{this}) {
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (tasks_[i].failed_attempts >= options_.max_attempts)
      ++failed_;
    else
      pending_.insert(i);
  }
}

// A step of 4,096 images fills a GPU; smaller ones share it, in slots. A suspect gets all of them.
std::int64_t Coordinator::share(std::size_t task, const Worker& worker) const {
  if (suspect_[task]) return worker.slots;
  constexpr std::int64_t kFilling = 4096;
  const std::int64_t wanted =
      (tasks_[task].images_per_step * worker.slots + kFilling - 1) / kFilling;
  return std::clamp<std::int64_t>(wanted, 1, worker.slots);
}

// Tasks go to the worker with most free slots. One that finds too few anywhere keeps the freest
// worker for itself, rather than being overtaken for ever.
std::vector<Command> Coordinator::fill() {
  std::vector<Command> commands;
  if (draining_) return commands;
  std::vector<std::pair<WorkerId, Worker*>> open;
  for (auto& [id, worker] : workers_)
    if (worker.free > 0) open.emplace_back(id, &worker);
  for (auto next = pending_.begin(); next != pending_.end() && !open.empty();) {
    const std::size_t task = *next;
    const auto freest = std::max_element(
        open.begin(), open.end(),
        [&](const auto& a, const auto& b) { return a.second->free < b.second->free; });
    Worker& worker = *freest->second;
    const std::int64_t wanted = share(task, worker);
    if (wanted > worker.free) {
      open.erase(freest);
      ++next;
      continue;
    }
    next = pending_.erase(next);
    const std::int64_t lease = next_lease_++;
    running_[lease] = {task, freest->first, wanted};
    worker.free -= wanted;
    commands.push_back(StartTrial{freest->first, task, lease,
                                  static_cast<double>(wanted) / static_cast<double>(worker.slots)});
    if (worker.free == 0) open.erase(freest);
  }
  return commands;
}

std::vector<Command> Coordinator::on_joined(WorkerId worker, std::int64_t slots) {
  slots = std::max<std::int64_t>(1, slots);
  // A worker that says it twice has no more slots than before.
  if (!workers_.try_emplace(worker, Worker{slots, slots}).second) return {};
  return fill();
}

void Coordinator::release(std::int64_t lease) {
  const Running& run = running_.at(lease);
  const auto worker = workers_.find(run.worker);
  if (worker != workers_.end()) worker->second.free += run.share;
  running_.erase(lease);
}

// One more attempt that counts: tried again, or failed for good.
void Coordinator::fail(std::size_t task) {
  if (++tasks_[task].failed_attempts >= options_.max_attempts)
    ++failed_;
  else
    pending_.insert(task);
}

std::vector<Command> Coordinator::on_lost(WorkerId worker, const std::string& reason) {
  workers_.erase(worker);
  std::vector<std::int64_t> leases;
  for (const auto& [lease, run] : running_)
    if (run.worker == worker) leases.push_back(lease);
  const bool culprit_known = leases.size() == 1;
  std::vector<Command> commands;
  for (std::int64_t lease : leases) {
    const std::size_t task = running_.at(lease).task;
    release(lease);
    if (culprit_known) {
      commands.push_back(EndAttempt{lease, AttemptState::failed, reason});
      fail(task);
    } else {
      commands.push_back(EndAttempt{lease, AttemptState::lost, reason});
      suspect_[task] = true;
      pending_.insert(task);
    }
  }
  const std::vector<Command> more = fill();
  commands.insert(commands.end(), more.begin(), more.end());
  return commands;
}

std::vector<Command> Coordinator::on_outcome(std::int64_t lease, OutcomeStatus status) {
  const std::size_t task = running_.at(lease).task;
  release(lease);
  suspect_[task] = false;
  if (status == OutcomeStatus::failed) fail(task);
  return fill();
}

std::vector<Command> Coordinator::on_stopped(std::int64_t lease) {
  pending_.insert(running_.at(lease).task);
  release(lease);
  std::vector<Command> commands{EndAttempt{lease, AttemptState::stopped, ""}};
  const std::vector<Command> more = fill();
  commands.insert(commands.end(), more.begin(), more.end());
  return commands;
}

std::vector<Command> Coordinator::drain() {
  draining_ = true;
  std::vector<Command> commands;
  for (const auto& [id, worker] : workers_) commands.push_back(StopWorker{id});
  return commands;
}

bool Coordinator::is_running(WorkerId worker, std::int64_t lease) const {
  const auto found = running_.find(lease);
  return found != running_.end() && found->second.worker == worker;
}

}  // namespace occam
