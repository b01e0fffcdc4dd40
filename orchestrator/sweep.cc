#include "orchestrator/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/error.h"
#include "orchestrator/keeping.h"

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

bool brings_all(const Outcome& outcome, const std::vector<EvaluationRequest>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const EvaluationRequest& request) {
    return std::any_of(outcome.evaluations.begin(), outcome.evaluations.end(),
                       [&](const Evaluation& one) { return one.request == request; });
  });
}

bool is_out_of_memory(const std::string& error) {
  for (const char* words : {"out of memory", "can't allocate memory", "bad_alloc"})
    if (error.find(words) != std::string::npos) return true;
  return false;
}

nlohmann::ordered_json place_of(WorkerId id) { return {{"node", id.node}, {"worker", id.number}}; }

}  // namespace

Sweep::Sweep(MissingWork work, SweepOptions options, Store& store, Link& link,
             ProgressLine& progress)
    : starts_(std::move(work.starts)),
      options_(std::move(options)),
      store_(store),
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
  progress_.say(fmt::format(
      "node {} worker {}: {} different trials failed on it, one after the other; it gets no more",
      command.worker.node, command.worker.number, command.failed_trials));
  events_.add("quarantined", place_of(command.worker));
}

// ---- what agents say ----

// Who has workers is known before anything starts, so that a gang that could never come together is
// refused while nothing is lost.
void Sweep::on(WorkerId id, const Ready& message) {
  if (has_crew_)
    join(id, message);
  else
    early_.emplace_back(id, message);
}

GangMachine Sweep::machine() const {
  GangMachine machine{options_.device == "cuda", 0, 0};
  for (const auto& [node, workers] : crew_) {
    machine.workers += workers;
    machine.on_a_node = std::max(machine.on_a_node, workers);
  }
  return machine;
}

void Sweep::on(WorkerId id, const Crew& message) {
  crew_[id.node] = message.workers;
  // Of no worker at all Empty tells.
  if (static_cast<int>(crew_.size()) < link_.size() || machine().workers == 0) return;
  if (!std::exchange(has_crew_, true)) {
    const std::vector<Task>& tasks = coordinator_.tasks();
    check_gang_sizes(tasks, machine().workers);
    const auto choices = choose_gangs(tasks, starts_, machine(), options_.gang_rates);
    for (std::size_t task = 0; task < choices.size(); ++task)
      if (const GangChoice& one = choices[task]; one.gpus > 1 || one.most_gpus > 1)
        coordinator_.set_gang(task, one.gpus, one.most_gpus, one.speedup);
  }
  const std::size_t before = coordinator_.too_large();
  carry_out(coordinator_.set_crew(crew_));
  if (coordinator_.too_large() > before)
    progress_.say(
        fmt::format("{} trials want more GPUs than the {} workers that are left, and wait for a "
                    "run that has them",
                    coordinator_.too_large(), machine().workers));
  for (const auto& [worker, ready] : std::exchange(early_, {})) join(worker, ready);
}

void Sweep::join(WorkerId id, const Ready& message) {
  workers_[id] = {
      {message.host, message.device, message.build, message.libraries, message.deterministic,
       message.revision, id.node, id.number, options_.job, options_.restart_count},
      {},
      0};
  nlohmann::ordered_json facts = place_of(id);
  facts.update({{"host", message.host}, {"device", message.device}, {"slots", message.slots}});
  events_.add("ready", facts);
  carry_out(coordinator_.on_joined(id, message.slots));
}

void Sweep::on(WorkerId id, const Alive& message) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;  // not ready yet
  Worker& worker = found->second;
  for (const Alive::Slot& slot : message.slots) {
    if (!coordinator_.is_running(id, slot.lease)) continue;
    const std::size_t task = coordinator_.task_of(slot.lease);
    const Trial& trial = starts_[task].config;
    const double steps = static_cast<double>(std::max<std::int64_t>(1, budget(trial).steps));
    const double share = slot.phase == "training" ? static_cast<double>(slot.count) / steps
                                                  : (slot.phase == "evaluating" ? 1.0 : 0.0);
    worker.progress[slot.lease] = share;
    if (share > 0 && resumed_.erase(slot.lease) > 0)
      work_before_[task] = share * coordinator_.tasks()[task].work;
  }
}

void Sweep::on(WorkerId id, const Progress& message) {
  if (!coordinator_.is_running(id, message.lease)) return;
  workers_[id].images_per_second = message.images_per_second;
  curves_.push_back({message});
}

void Sweep::on(WorkerId id, const Outcome& message) {
  // What an attempt says after it was given up counts for nothing: another has taken its place. Of
  // a gang's other members, and of a gang that has broken, it only means that the worker is free.
  if (!coordinator_.is_running(id, message.lease) ||
      (coordinator_.is_broken(message.lease) && message.status == OutcomeStatus::failed))
    return on(id, Left{message.trial, message.lease, message.error});
  record_curves();
  workers_[id].progress.erase(message.lease);
  Outcome outcome = message;
  const std::size_t task = coordinator_.task_of(message.lease);
  if (outcome.status == OutcomeStatus::completed &&
      !brings_all(outcome, starts_[task].evaluations)) {
    outcome.status = OutcomeStatus::failed;
    outcome.error = "the worker did not bring every score that was asked for";
  }
  // A trial's numbers are those of one attempt, and those that it has are not given up for none.
  if (outcome.status == OutcomeStatus::diverged && has_outcome_[task]) {
    outcome.status = OutcomeStatus::failed;
    outcome.error =
        "diverged when it was trained again for more scores; its earlier outcome stays: " +
        outcome.error;
  }
  if (outcome.status == OutcomeStatus::failed && is_out_of_memory(outcome.error))
    out_of_memory(outcome);
  else
    finish(outcome, task);
}

void Sweep::out_of_memory(const Outcome& outcome) {
  progress_.say(fmt::format("trial {} ran out of memory: {}", outcome.trial, outcome.error));
  carry_out(coordinator_.on_out_of_memory(outcome.lease, outcome.error));
}

void Sweep::finish(const Outcome& outcome, std::size_t task) {
  record(outcome);
  events_.add("outcome", {{"trial", outcome.trial},
                          {"lease", outcome.lease},
                          {"status", to_string(outcome.status)},
                          {"error", outcome.error},
                          {"seconds", outcome.train_seconds + outcome.evaluate_seconds}});
  if (outcome.status == OutcomeStatus::failed) {
    progress_.say(fmt::format("trial {} failed (attempt {} of {}): {}", outcome.trial,
                              coordinator_.tasks()[task].failed_attempts + 1,
                              options_.coordinator.max_attempts, outcome.error));
  } else {
    if (outcome.status == OutcomeStatus::diverged)
      progress_.say(fmt::format("trial {} diverged: {}", outcome.trial, outcome.error));
    if (!outcome.collapsed.empty())
      progress_.say(fmt::format("trial {} collapsed: {}", outcome.trial, outcome.collapsed));
    has_outcome_[task] = done_[task] = true;
    const double work = coordinator_.tasks()[task].work;
    ++shown_.done;
    shown_.work_done += work;
    timed_work_ += work;
    timed_seconds_ += (outcome.train_seconds + outcome.evaluate_seconds) *
                      static_cast<double>(coordinator_.tasks()[task].speedup);
  }
  std::vector<Command> commands = coordinator_.on_outcome(outcome.lease, outcome.status);
  if (outcome.status == OutcomeStatus::completed && wider_.count(task)) {
    const std::vector<Command> again = run_again(task);
    commands.insert(commands.end(), again.begin(), again.end());
  }
  carry_out(commands);
}

void Sweep::on(WorkerId id, const Stopped& message) {
  if (!coordinator_.is_running(id, message.lease) || coordinator_.is_broken(message.lease))
    return on(id, Left{message.trial, message.lease, ""});
  workers_[id].progress.erase(message.lease);
  carry_out(coordinator_.on_stopped(message.lease));
}

void Sweep::on(WorkerId id, const Saved& message) {
  if (coordinator_.is_running(id, message.lease))
    coordinator_.on_saved(message.lease, message.step);
}

void Sweep::on(WorkerId id, const Ticket& message) {
  if (coordinator_.is_running(id, message.lease))
    carry_out(coordinator_.on_ticket(message.lease, message.ticket));
}

void Sweep::on(WorkerId id, const Left& message) {
  if (!coordinator_.is_member(id, message.lease)) return;
  workers_[id].progress.erase(message.lease);
  nlohmann::ordered_json facts{{"trial", message.trial}, {"lease", message.lease}};
  facts.update(place_of(id));
  facts["reason"] = message.reason;
  events_.add("left gang", facts);
  // Those that were asked to have nothing to tell.
  if (!message.reason.empty() && !coordinator_.is_broken(message.lease))
    progress_.say(fmt::format("node {} worker {} left the gang of trial {}: {}", id.node, id.number,
                              message.trial, message.reason));
  carry_out(
      coordinator_.on_left(id, message.lease, message.reason, is_out_of_memory(message.reason)));
}

void Sweep::on(WorkerId id, const Log& message) {
  progress_.say(fmt::format("node {} worker {}: {}", id.node, id.number, message.text));
  nlohmann::ordered_json facts = place_of(id);
  facts["text"] = message.text;
  events_.add("log", facts);
}

void Sweep::on(WorkerId id, const Lost& message) {
  const std::string why = message.log_tail.empty()
                              ? message.reason
                              : message.reason + "; it said:\n" + message.log_tail;
  workers_.erase(id);
  if (ending_.erase(id) == 0) {
    // One that fails to start does so three times, with the same words.
    if (why != last_loss_)
      progress_.say(fmt::format("node {} worker {}: {}", id.node, id.number, why));
    last_loss_ = why;
    nlohmann::ordered_json facts = place_of(id);
    facts["reason"] = why;
    events_.add("lost", facts);
  }
  carry_out(coordinator_.on_lost(id, why, message.culprit));
}

void Sweep::on(WorkerId id, const Empty&) {
  nodes_empty_.insert(id.node);
  if (leaving_ || static_cast<int>(nodes_empty_.size()) < link_.size()) return;
  hopeless_ = "no worker can be started: " +
              (last_loss_.empty() ? "no node was given one; see --workers" : last_loss_);
  leave();
}

void Sweep::on(WorkerId id, const Gone&) { nodes_left_.insert(id.node); }

// ---- what the user wants, and time ----

std::size_t Sweep::add(MissingWork more) {
  if (has_crew_) {
    check_gang_sizes(more.tasks, machine().workers);
    const auto choices = choose_gangs(more.tasks, more.starts, machine(), options_.gang_rates);
    for (std::size_t i = 0; i < choices.size(); ++i) {
      more.tasks[i].gpus = choices[i].gpus;
      more.tasks[i].most_gpus = choices[i].most_gpus;
      more.tasks[i].speedup = choices[i].speedup;
    }
  }
  std::vector<Task> tasks;
  std::vector<Command> commands;
  for (std::size_t i = 0; i < more.tasks.size(); ++i) {
    const auto [known, is_new] = task_of_trial_.emplace(more.starts[i].trial, starts_.size());
    if (!is_new) {
      const std::vector<Command> one = add_scores(known->second, more.starts[i].evaluations);
      commands.insert(commands.end(), one.begin(), one.end());
      continue;
    }
    shown_.work += more.tasks[i].work;
    ++shown_.trials;
    has_outcome_.push_back(!more.lacking[i].empty());
    done_.push_back(false);
    starts_.push_back(std::move(more.starts[i]));
    tasks.push_back(std::move(more.tasks[i]));
  }
  const std::size_t count = tasks.size();
  const std::vector<Command> new_ones = coordinator_.add(std::move(tasks));
  commands.insert(commands.end(), new_ones.begin(), new_ones.end());
  carry_out(commands);
  ask_for_workers();
  events_.add("added", {{"trials", count}});
  commit();
  return more.tasks.size() - count;
}

std::vector<Command> Sweep::add_scores(std::size_t task,
                                       const std::vector<EvaluationRequest>& wanted) {
  const auto known = wider_.find(task);
  std::vector<EvaluationRequest> all =
      known == wider_.end() ? starts_[task].evaluations : known->second;
  const std::size_t before = all.size();
  for (const EvaluationRequest& one : wanted)
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
  if (all.size() > before) wider_[task] = std::move(all);
  if (done_[task]) return run_again(task);
  return coordinator_.is_cancelled(task) ? coordinator_.retry(task) : std::vector<Command>{};
}

std::vector<Command> Sweep::run_again(std::size_t task) {
  done_[task] = false;
  ++shown_.trials;
  shown_.work += coordinator_.tasks()[task].work;
  return coordinator_.retry(task);
}

void Sweep::widen(std::size_t task) {
  const auto wider = wider_.find(task);
  if (wider == wider_.end()) return;
  Start& start = starts_[task];
  start.evaluations = std::move(wider->second);
  wider_.erase(wider);
  start.keep.score_only =
      has_outcome_[task] && coordinator_.tasks()[task].gpus == 1 && has_kept_features(start);
}

std::size_t Sweep::cancel(const std::vector<std::string>& trials) {
  const std::size_t count = store_.cancel(trials);
  for (const std::string& trial : store_.without_outcome(trials)) {
    const auto task = task_of_trial_.find(trial);
    if (task == task_of_trial_.end() || coordinator_.is_cancelled(task->second)) continue;
    events_.add("cancelled", {{"trial", trial}});
    carry_out(coordinator_.cancel(task->second));
  }
  commit();
  return count;
}

std::size_t Sweep::retry(const std::vector<std::string>& trials) {
  std::size_t count = 0;
  store_.retry(trials);
  const std::vector<std::string> without_outcome = store_.without_outcome(trials);
  const std::set<std::string> without(without_outcome.begin(), without_outcome.end());
  for (const std::string& trial : trials) {
    const auto task = task_of_trial_.find(trial);
    if (task == task_of_trial_.end()) continue;
    // One that has come through meanwhile needs no more.
    has_outcome_[task->second] = without.count(trial) == 0;
    if (has_outcome_[task->second] && done_[task->second]) continue;
    done_[task->second] = false;
    ++count;
    events_.add("retried", {{"trial", trial}});
    carry_out(coordinator_.retry(task->second));
  }
  ask_for_workers();
  commit();
  return count;
}

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
    progress_.say(
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
    shown.images_per_second += worker.images_per_second;
    for (const auto& [lease, share] : worker.progress)
      if (coordinator_.is_running(id, lease))
        shown.work_done += share * coordinator_.tasks()[coordinator_.task_of(lease)].work;
  }
  progress_.show(shown, now);
}

}  // namespace occam
