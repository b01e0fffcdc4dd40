#include "orchestrator/sweep.h"

#include <fmt/format.h>

#include <algorithm>

namespace occam {
namespace {

// The last checkpoint that a worker will find; none where it starts from nothing.
std::optional<ContinuedCheckpoint> newest_checkpoint(const Start& start) {
  std::optional<ContinuedCheckpoint> newest;
  for (const std::int64_t lease : start.resumable) {
    std::error_code missing;
    const auto written = std::filesystem::last_write_time(
        std::filesystem::path(start.folder) / (std::to_string(lease) + ".ckpt"), missing);
    if (missing) continue;
    const auto saved_at = std::chrono::time_point_cast<std::chrono::system_clock::duration>(
        std::chrono::file_clock::to_sys(written));
    if (!newest || saved_at > newest->saved_at) newest = ContinuedCheckpoint{lease, saved_at};
  }
  return newest;
}

}  // namespace

Sweep::Sweep(MissingWork work, SweepOptions options, Store& store, Link& link,
             ProgressLine& progress)
    : starts_(std::move(work.starts)),
      options_(std::move(options)),
      store_(store),
      database_(store.path()),
      link_(link),
      progress_(progress),
      events_(store.path()),
      coordinator_(std::move(work.tasks), options_.coordinator),
      spool_(store.path()) {
  for (std::size_t task = 0; task < starts_.size(); ++task) {
    task_of_trial_.emplace(starts_[task].trial, task);
    has_outcome_.push_back(!work.lacking[task].empty());
  }
  done_.resize(starts_.size(), false);
  shown_.trials = coordinator_.pending();
  for (const Task& task : coordinator_.tasks())
    if (task.failed_attempts < options_.coordinator.max_attempts) shown_.work += task.work;
}

nlohmann::ordered_json Sweep::place_of(WorkerId id) {
  return {{"node", id.node}, {"worker", id.number}};
}

void Sweep::begin() {
  nlohmann::ordered_json facts{{"trials", coordinator_.pending()}, {"nodes", link_.size()}};
  if (!options_.job.empty())
    facts.update({{"job", options_.job}, {"restart_count", options_.restart_count}});
  events_.add("begun", facts);
  ask_for_workers();
  leave_when_finished();
  events_.flush();
}

void Sweep::ask_for_workers() {
  const auto most = static_cast<std::int64_t>(coordinator_.workers_wanted());
  for (int node = 0; node < link_.size(); ++node)
    link_.to_node(node, to_line(Down{kWholeNode, Begin{options_.device, most}}));
}

void Sweep::take(const std::vector<std::pair<int, std::string>>& lines) {
  if (lines.empty()) return;
  for (const auto& [node, line] : lines) {
    spoke_.insert(node);
    const Up up = read_addressed_up(line);
    const WorkerId id{node, up.worker};
    std::visit([&, &from = id](const auto& message) { on(from, message); }, up.message);
  }
  commit();
}

// ---- what the coordinator wants ----

void Sweep::carry_out(const std::vector<Command>& commands) {
  for (const Command& command : commands)
    std::visit([&](const auto& one) { carry_out(one); }, command);
  leave_when_finished();
}

void Sweep::carry_out(const StartTrial& command) {
  started_ = true;
  Start& message = starts_[command.task];
  message.gang.reset();
  if (command.size > 1) message.gang = Gang{command.rank, command.size, command.ticket};
  nlohmann::ordered_json facts{{"trial", message.trial}, {"lease", command.lease}};
  facts.update(place_of(command.worker));
  if (message.gang) facts["rank"] = command.rank, facts["gang"] = command.size;
  if (command.rank > 0) {
    events_.add("joined", facts);
    Start joining = message;
    std::erase(joining.resumable, command.lease);  // as rank 0 was told
    link_.to_node(command.worker.node, to_line(Down{command.worker.number, joining}));
    return;
  }
  widen(command.task);
  message.lease = command.lease;
  message.share = command.share;
  const auto checkpoint = newest_checkpoint(message);
  WorkerFacts worker = workers_[command.worker].facts;
  // Where its last bits depend on the gang's size, as on the device.
  if (message.gang) worker.device = gang_device(command.size, worker.device);
  record(AttemptBegun{message.trial, command.lease, std::move(worker), checkpoint});
  if (checkpoint) facts["continues"] = checkpoint->lease;
  if (checkpoint && checkpoint->lease < options_.coordinator.first_lease)
    resumed_.insert(command.lease);
  events_.add("started", facts);
  link_.to_node(command.worker.node, to_line(Down{command.worker.number, message}));
  message.resumable.push_back(command.lease);  // for the attempt after this one
}

void Sweep::carry_out(const LeaveGang& command) {
  link_.to_node(
      command.worker.node,
      to_line(Down{command.worker.number, Leave{starts_[command.task].trial, command.lease}}));
}

void Sweep::carry_out(const EndAttempt& command) {
  record(AttemptEnded{command.lease, command.state, command.error});
  events_.add(
      "ended",
      {{"lease", command.lease}, {"state", to_string(command.state)}, {"error", command.error}});
}

void Sweep::carry_out(const StopWorker& command) {
  link_.to_node(command.worker.node, to_line(Down{command.worker.number, Stop{}}));
}

void Sweep::carry_out(const EndWorker& command) {
  ending_.insert(command.worker);
  link_.to_node(command.worker.node, to_line(Down{command.worker.number, Exit{}}));
}

void Sweep::carry_out(const Quarantine& command) {
  progress_.warn(fmt::format(
      "node {} worker {}: {} different trials failed on it, one after the other; it gets no more",
      command.worker.node, command.worker.number, command.failed_trials));
  events_.add("quarantined", place_of(command.worker));
}

// ---- time, and the end ----

void Sweep::drain(const std::string& reason) {
  if (std::exchange(drained_, true)) return;
  events_.add("draining", {{"reason", reason}});
  carry_out(coordinator_.drain());
}

void Sweep::leave_when_finished() {
  if (leaving_ || !coordinator_.finished()) return;
  const bool out_of_time =
      coordinator_.pending() > coordinator_.too_large() && !drained_ && hopeless_.empty();
  if (out_of_time && !waiting_)
    progress_.say(std::string("too little time is left to start another trial") +
                  (options_.stay && started_ ? "; waiting for the end of the time" : ""));
  waiting_ = out_of_time && options_.stay && started_;
  if (!waiting_) leave();
}

void Sweep::leave() {
  leaving_ = true;
  // From now on all have something to say, also those that had no workers.
  for (int node = 0; node < link_.size(); ++node) heard_[node] = ticked_;
  record_curves();
  for (int node = 0; node < link_.size(); ++node)
    if (!nodes_lost_.count(node)) link_.to_node(node, to_line(Down{kWholeNode, Exit{}}));
  events_.add("left", {{"done", shown_.done}, {"waiting", coordinator_.pending()}});
}

void Sweep::mind_the_time(Time now) {
  if (!options_.ends_at) return;
  const double left = std::chrono::duration<double>(*options_.ends_at - now).count();
  coordinator_.set_time_left(
      left, timed_seconds_ > 0 ? timed_seconds_ / timed_work_ : options_.seconds_per_work);
  if (left > 0 || drained_) return;
  progress_.say("the time is up: checkpointing every running trial");
  drain("the time is up");
}

void Sweep::mind_the_nodes(Time now) {
  constexpr std::chrono::seconds kStoodStill{5};
  // What came while this process itself stood still has not been read yet.
  if (now - ticked_ > kStoodStill)
    for (auto& [node, last] : heard_) last = now;
  ticked_ = now;
  for (const int node : std::exchange(spoke_, {})) heard_[node] = now;
  if (options_.node_silence <= 0) return;
  std::set<int> owing;  // that would have spoken: workers beat, and who was told something answers
  for (const auto& [id, worker] : workers_) owing.insert(id.node);
  for (int node = 0; node < link_.size(); ++node)
    if (leaving_ || crew_.count(node) == 0) owing.insert(node);
  for (const int node : owing) {
    if (node == 0 || nodes_left_.count(node) > 0) continue;
    const Time heard = heard_.try_emplace(node, now).first->second;
    const double silent = std::chrono::duration<double>(now - heard).count();
    if (silent < options_.node_silence) continue;
    nodes_lost_.insert(node);
    nodes_left_.insert(node);
    events_.add("node lost", {{"node", node}});
    progress_.warn(
        fmt::format("node {} has said nothing for {:.0f} s and counts as lost; checkpointing the "
                    "others' trials, and the next occam run goes on",
                    node, silent));
    drain("a node is lost");
  }
  if (nodes_lost_.empty() || leaving_) return;
  std::size_t lost = 0;
  for (const int node : nodes_lost_) lost += coordinator_.running_on(node);
  if (coordinator_.running() == lost) leave();
}

void Sweep::tick(Time now) {
  constexpr std::chrono::seconds kCurvesEvery{2};
  mind_the_time(now);
  mind_the_nodes(now);
  if (now - curves_recorded_ >= kCurvesEvery || all_left()) {
    record_curves();
    curves_recorded_ = now;
    mind_the_files();
  }
  commit();
  mind_the_lock(now);
  show(now);
}

void Sweep::show(Time now) {
  shown_.failed = coordinator_.failed();
  shown_.running = coordinator_.running();
  SweepProgress shown = shown_;
  for (const auto& [task, work] : work_before_)
    if (coordinator_.tasks()[task].failed_attempts < options_.coordinator.max_attempts)
      shown.work_before += work;
  for (const auto& [id, worker] : workers_) {
    for (const auto& [lease, one] : worker.progress) {
      if (!coordinator_.is_running(id, lease)) continue;
      shown.work_done += one.share * coordinator_.tasks()[coordinator_.task_of(lease)].work;
      if (one.share < 1) shown.images_per_second += one.images_per_second;
    }
  }
  progress_.show(shown, now);
}

}  // namespace occam
