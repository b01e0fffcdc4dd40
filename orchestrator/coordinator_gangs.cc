// The coordinator's part that is about gangs: gathering their workers, and ending them.
#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "orchestrator/coordinator.h"

namespace occam {

std::int64_t Coordinator::crew_size() const {
  return std::accumulate(crew_.begin(), crew_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& node) { return sum + node.second; });
}

std::vector<Command> Coordinator::set_crew(std::map<int, std::int64_t> workers) {
  crew_ = std::move(workers);
  const std::int64_t all = crew_size();
  for (auto task = pending_.begin(); task != pending_.end();) {
    if (tasks_[*task].gpus == 1 || tasks_[*task].gpus <= all) {
      ++task;
      continue;
    }
    too_large_.insert(*task);
    task = pending_.erase(task);
  }
  for (const std::size_t task : std::exchange(too_large_, {})) await(task);
  largest_gang_ = std::min<std::size_t>(largest_gang_, std::max<std::int64_t>(1, all));
  std::vector<Command> commands;
  spare_the_last();
  fill(commands);
  return commands;
}

void Coordinator::set_gang(std::size_t task, std::int32_t gpus, std::int32_t most_gpus,
                           float speedup) {
  tasks_[task].gpus = gpus;
  tasks_[task].most_gpus = most_gpus;
  tasks_[task].speedup = speedup;
  if (pending_.erase(task) + too_large_.erase(task) > 0) await(task);
}

std::size_t Coordinator::workers_wanted() const {
  const auto wanted = [&](std::size_t sum, std::size_t task) {
    return sum + static_cast<std::size_t>(std::max(tasks_[task].gpus, tasks_[task].most_gpus));
  };
  std::size_t sum = std::accumulate(pending_.begin(), pending_.end(), std::size_t{0}, wanted);
  sum = std::accumulate(too_large_.begin(), too_large_.end(), sum, wanted);
  for (const auto& [lease, run] : running_) sum = wanted(sum, run.task);
  return sum;
}

// ---- gathering ----

std::map<int, std::int64_t> Coordinator::usable_workers() const {
  std::map<int, std::int64_t> usable = crew_;
  for (const auto& [node, joined] : joined_) usable[node] = std::max(usable[node], joined);
  for (const WorkerId& id : quarantined_) --usable[id.node];
  return usable;
}

// The workers that a gang takes or waits for, as far as they have room: on one node where one has
// so many, else on as few as can be; whole ones first, then those that will be soon. The sum of
// their free shares never falls from call to call, since what is held takes no other trial, and
// every trial that ends in one of them raises it: so the gang comes together.
std::vector<Coordinator::Open> Coordinator::gather(std::size_t task) const {
  const auto size = static_cast<std::size_t>(tasks_[task].gpus);
  const auto failed_on = failed_on_.find(task);
  // One that still scores a trial has less than one that is whole.
  const auto free_share = [&](const Open& one) {
    const auto slots = static_cast<double>(workers_.at(one.worker).slots);
    return is_whole(one) ? 1 : std::min(static_cast<double>(one.free), slots - 0.5) / slots;
  };
  const auto is_better = [&](const Open& a, const Open& b) {
    const auto key = [&](const Open& one) {
      const bool avoided = failed_on != failed_on_.end() && failed_on->second == one.worker;
      return std::tuple(-free_share(one), avoided, one.worker);
    };
    return key(a) < key(b);
  };

  struct Node {
    std::vector<Open> open;
    std::size_t whole = 0;
  };
  std::map<int, Node> nodes;
  for (const Open& one : open_) {
    Node& node = nodes[one.worker.node];
    node.open.push_back(one);
    node.whole += is_whole(one);
  }
  for (auto& [number, node] : nodes) std::sort(node.open.begin(), node.open.end(), is_better);

  const std::map<int, std::int64_t> usable = usable_workers();
  const auto has_so_many = [&](const auto& node) {
    return node.second >= static_cast<std::int64_t>(size);
  };
  std::vector<Open> chosen;
  if (std::any_of(usable.begin(), usable.end(), has_so_many)) {
    // One that is ready and has the least to spare, else the one that is nearest to it.
    const Node* best = nullptr;
    std::pair<double, std::size_t> best_rank;
    for (const auto& [number, node] : nodes) {
      if (usable.at(number) < static_cast<std::int64_t>(size)) continue;
      double free = 0;
      for (std::size_t i = 0; i < std::min(size, node.open.size()); ++i)
        free += free_share(node.open[i]);
      const std::pair rank(node.whole >= size ? -static_cast<double>(size) : -free, node.whole);
      if (!best || rank < best_rank) best = &node, best_rank = rank;
    }
    if (best)
      chosen.assign(best->open.begin(), best->open.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                 size, best->open.size())));
  } else {
    for (const auto& [number, node] : nodes)
      chosen.insert(chosen.end(), node.open.begin(), node.open.end());
    std::stable_sort(chosen.begin(), chosen.end(), [&](const Open& a, const Open& b) {
      const auto key = [&](const Open& one) {
        return std::pair(-free_share(one),
                         -static_cast<std::int64_t>(nodes.at(one.worker.node).whole));
      };
      return key(a) < key(b);
    });
    chosen.resize(std::min(size, chosen.size()));
  }
  // Neighbours in rank are neighbours on a node.
  std::sort(chosen.begin(), chosen.end(),
            [](const Open& a, const Open& b) { return a.worker < b.worker; });
  return chosen;
}

void Coordinator::start_gang(std::size_t task, const std::vector<Open>& members,
                             std::vector<Command>& commands) {
  const std::int64_t lease = next_lease_++;
  Members& gang = gangs_[lease];
  gang.task = task;
  for (const Open& one : members) {
    Worker& worker = workers_.at(one.worker);
    worker.leases.insert(lease);
    set_free(one.worker, worker, 0);
    gang.all.push_back(one.worker);
    gang.present.insert(one.worker);
  }
  const WorkerId first = gang.all.front();
  running_[lease] = {task, first, workers_.at(first).slots};
  commands.push_back(
      StartTrial{first, task, lease, 1, 0, static_cast<std::int64_t>(members.size()), ""});
}

std::vector<Command> Coordinator::on_ticket(std::int64_t lease, const std::string& ticket) {
  std::vector<Command> commands;
  const auto found = gangs_.find(lease);
  if (found == gangs_.end()) return commands;
  Members& gang = found->second;
  if (gang.has_ticket || gang.broken || gang.attempt_ended) return commands;
  gang.has_ticket = true;
  const auto size = static_cast<std::int64_t>(gang.all.size());
  for (std::int64_t rank = 1; rank < size; ++rank)
    commands.push_back(StartTrial{gang.all[static_cast<std::size_t>(rank)], gang.task, lease, 1,
                                  rank, size, ticket});
  return commands;
}

// ---- ending ----

// Asks those that are there and started to leave; a worker that only waited is free at once.
void Coordinator::dismiss(std::int64_t lease, Members& gang, std::vector<Command>& commands) {
  for (auto id = gang.present.begin(); id != gang.present.end();) {
    if (gang.has_ticket || *id == gang.all.front()) {
      commands.emplace_back(LeaveGang{*id, gang.task, lease});
      ++id;
      continue;
    }
    leave(lease, *id, workers_.at(*id).slots, commands);
    id = gang.present.erase(id);
  }
}

void Coordinator::break_gang(std::int64_t lease, AttemptState end, const std::string& reason,
                             WorkerId blamed, std::vector<Command>& commands) {
  Members& gang = gangs_.at(lease);
  if (gang.broken || gang.attempt_ended) return;
  gang.broken = true;
  gang.end = end;
  gang.reason = reason;
  gang.blamed = blamed;
  dismiss(lease, gang, commands);
}

void Coordinator::close_if_empty(std::int64_t lease, std::vector<Command>& commands) {
  const auto found = gangs_.find(lease);
  if (found == gangs_.end() || !found->second.present.empty()) return;
  const Members gang = std::move(found->second);
  gangs_.erase(found);
  if (gang.attempt_ended) return;
  const bool killed_from_outside = gang.lost_one && running_.at(lease).gained;
  running_.erase(lease);
  const bool fails = gang.end == AttemptState::failed && !killed_from_outside &&
                     !(gang.out_of_memory && widen(gang.task));
  commands.push_back(
      EndAttempt{lease, gang.end == AttemptState::failed && !fails ? AttemptState::lost : gang.end,
                 gang.reason});
  if (fails)
    fail(gang.task, gang.blamed, commands);
  else
    await(gang.task);
}

void Coordinator::lose_member(std::int64_t lease, WorkerId worker, const std::string& reason,
                              std::vector<Command>& commands) {
  Members& gang = gangs_.at(lease);
  gang.present.erase(worker);
  if (!gang.attempt_ended) {
    const bool had_started = gang.has_ticket || worker == gang.all.front();
    if (!had_started) {
      break_gang(lease, AttemptState::lost, "a worker ended before it could join: " + reason,
                 worker, commands);
    } else if (!gang.broken) {
      break_gang(lease, AttemptState::failed, reason, worker, commands);
      gang.lost_one = true;
    } else if (gang.end == AttemptState::failed && !std::exchange(gang.lost_one, true)) {
      // What the others said of it was hearsay.
      gang.reason = reason;
      gang.blamed = worker;
      gang.out_of_memory = false;
    }
  }
  close_if_empty(lease, commands);
}

std::vector<Command> Coordinator::on_left(WorkerId worker, std::int64_t lease,
                                          const std::string& reason, bool out_of_memory) {
  std::vector<Command> commands;
  const auto found = gangs_.find(lease);
  if (found == gangs_.end() || found->second.present.erase(worker) == 0) return commands;
  Members& gang = found->second;
  leave(lease, worker, workers_.at(worker).slots, commands);
  const bool is_first = worker == gang.all.front();
  if (!gang.broken && !gang.attempt_ended && (is_first || !reason.empty())) {
    // Asked to stop, members may find that others have stopped before them.
    break_gang(lease, draining_ ? AttemptState::stopped : AttemptState::failed,
               reason.empty() ? "its first worker left the gang" : reason, worker, commands);
    gang.out_of_memory = out_of_memory;
  }
  close_if_empty(lease, commands);
  fill(commands);
  return commands;
}

// A trial that may have more workers than were enough for its step, but not for its memory.
bool Coordinator::widen(std::size_t task) {
  Task& wide = tasks_[task];
  if (2 * wide.gpus > wide.most_gpus) return false;
  wide.gpus *= 2;
  return true;
}

bool Coordinator::is_member(WorkerId worker, std::int64_t lease) const {
  const auto gang = gangs_.find(lease);
  return gang != gangs_.end() && gang->second.present.count(worker) > 0;
}

bool Coordinator::is_broken(std::int64_t lease) const {
  const auto gang = gangs_.find(lease);
  return gang != gangs_.end() && (gang->second.broken || gang->second.attempt_ended);
}

}  // namespace occam
