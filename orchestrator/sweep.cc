#include "orchestrator/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/cost.h"
#include "experiments/error.h"

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

}  // namespace

std::vector<TrialHistory> no_histories(const Expansion& expansion) {
  std::vector<TrialHistory> histories;
  for (const PlannedTrial& planned : expansion.trials)
    histories.push_back({0,
                         {},
                         std::nullopt,
                         applicable(expansion.evaluations[planned.evaluations], planned.trial)});
  return histories;
}

MissingWork missing_work(const Expansion& expansion, const std::vector<TrialHistory>& histories,
                         const std::filesystem::path& work,
                         const std::function<bool(const Trial&)>& wanted, std::size_t limit) {
  MissingWork missing;
  const std::vector<std::int64_t> ranks = seed_ranks(expansion);
  for (std::size_t i = 0; i < expansion.trials.size(); ++i) {
    const Trial& trial = expansion.trials[i].trial;
    const TrialHistory& history = histories[i];
    if (history.missing.empty() && history.outcome) continue;
    if (history.outcome == OutcomeStatus::diverged || history.cancelled) continue;
    if (!wanted(trial) || missing.tasks.size() == limit) continue;
    const std::string id = id_of(trial);
    missing.tasks.push_back(
        {id, ranks[i], training_macs(trial) + evaluation_macs(trial, history.missing),
         is_trained(trial) ? images_per_step(trial) : 1, history.failed_attempts});
    if (history.outcome) {
      ++missing.again;
      for (const EvaluationRequest& one : history.unrecorded) {
        const std::string name = to_string(one.classifier);
        if (std::find(missing.again_for.begin(), missing.again_for.end(), name) ==
            missing.again_for.end())
          missing.again_for.push_back(name);
      }
    }
    missing.starts.push_back({id, trial, history.missing, 0, history.leases, work / id});
  }
  return missing;
}

std::string to_run_text(const MissingWork& work) {
  const std::string text = fmt::format("{} to run", work.tasks.size());
  if (work.again == 0) return text;
  return text + fmt::format(": {} new, {} trained again for {}", work.tasks.size() - work.again,
                            work.again, joined(work.again_for));
}

std::string drift_text(const SweepDrift& drift) {
  if (!drift.changed()) return "";
  std::string text = fmt::format(
      "the spec has changed since this sweep was last run: {} trials kept, {} new, {} "
      "orphaned\n",
      drift.kept, drift.added, drift.orphaned);
  const auto list = [&](const char* what, const std::vector<std::string>& examples,
                        std::size_t count) {
    for (const std::string& one : examples) text += fmt::format("  {}: {}\n", what, one);
    if (count > examples.size()) text += fmt::format("  … and {} more\n", count - examples.size());
  };
  list("new", drift.added_examples, drift.added);
  list("orphaned", drift.orphaned_examples, drift.orphaned);
  if (drift.orphaned_outcomes > 0)
    text += fmt::format(
        "  {} orphaned trials have results, which stay: occam table --orphaned shows them; a spec "
        "with another name keeps both sweeps\n",
        drift.orphaned_outcomes);
  return text;
}

Sweep::Sweep(MissingWork work, SweepOptions options, Store& store, Link& link,
             ProgressLine& progress)
    : work_(std::move(work)),
      options_(std::move(options)),
      store_(store),
      link_(link),
      progress_(progress),
      coordinator_(work_.tasks, options_.coordinator) {
  shown_.trials = coordinator_.pending();
  for (const Task& task : coordinator_.tasks())
    if (task.failed_attempts < options_.coordinator.max_attempts) shown_.work += task.work;
}

void Sweep::begin() {
  for (int node = 0; node < link_.size(); ++node)
    link_.to_node(
        node, to_line(Down{kWholeNode, Begin{options_.device,
                                             static_cast<std::int64_t>(coordinator_.pending())}}));
  leave_when_finished();
}

void Sweep::handle(int node, const Up& up) {
  const WorkerId id{node, up.worker};
  std::visit([&](const auto& message) { on(id, message); }, up.message);
}

void Sweep::carry_out(const std::vector<Command>& commands) {
  for (const Command& command : commands) {
    if (const auto* starting = std::get_if<StartTrial>(&command)) start(*starting);
    if (const auto* ending = std::get_if<EndAttempt>(&command))
      store_.end_attempt(ending->lease, ending->state, ending->error);
    if (const auto* stopping = std::get_if<StopWorker>(&command))
      link_.to_node(stopping->worker.node, to_line(Down{stopping->worker.number, Stop{}}));
  }
  leave_when_finished();
}

void Sweep::start(const StartTrial& command) {
  Start& message = work_.starts[command.task];
  message.lease = command.lease;
  store_.begin_attempt(message.trial, command.lease, workers_[command.worker].facts,
                       newest_checkpoint(message));
  link_.to_node(command.worker.node, to_line(Down{command.worker.number, message}));
  message.resumable.push_back(command.lease);  // for the attempt after this one
}

void Sweep::on(WorkerId id, const Ready& message) {
  workers_[id] = {{message.host, message.device, message.build, message.libraries,
                   message.deterministic, message.revision},
                  {},
                  0};
  carry_out(coordinator_.on_joined(id, message.slots));
}

void Sweep::on(WorkerId id, const Alive& message) {
  Worker& worker = workers_[id];
  for (const Alive::Slot& slot : message.slots) {
    if (!coordinator_.is_running(id, slot.lease)) continue;
    const Trial& trial = work_.starts[coordinator_.task_of(slot.lease)].config;
    const double steps = static_cast<double>(std::max<std::int64_t>(1, budget(trial).steps));
    worker.progress[slot.lease] = slot.phase == "training"
                                      ? static_cast<double>(slot.count) / steps
                                      : (slot.phase == "evaluating" ? 1.0 : 0.0);
  }
}

void Sweep::on(WorkerId id, const Progress& message) {
  if (!coordinator_.is_running(id, message.lease)) return;
  workers_[id].images_per_second = message.images_per_second;
  unsaved_progress_.push_back(message);
}

void Sweep::on(WorkerId id, const Outcome& message) {
  // What an attempt says after it was given up counts for nothing: another has taken its place.
  if (!coordinator_.is_running(id, message.lease)) return;
  store_.record_progress(std::exchange(unsaved_progress_, {}));
  Outcome outcome = message;
  const std::size_t task = coordinator_.task_of(message.lease);
  const auto& wanted = work_.starts[task].evaluations;
  if (outcome.status == OutcomeStatus::completed && !brings_all(outcome, wanted)) {
    outcome.status = OutcomeStatus::failed;
    outcome.error = "the worker did not bring every score that was asked for";
  }
  if (!store_.record_outcome(outcome))
    throw Error("trial " + message.trial + ": the database does not take its outcome");
  const OutcomeStatus status = outcome.status;
  const std::string& error = outcome.error;
  workers_[id].progress.erase(message.lease);
  if (status == OutcomeStatus::failed)
    progress_.say(fmt::format("trial {} failed (attempt {} of {}): {}", message.trial,
                              coordinator_.tasks()[task].failed_attempts + 1,
                              options_.coordinator.max_attempts, error));
  if (status == OutcomeStatus::diverged)
    progress_.say(fmt::format("trial {} diverged: {}", message.trial, error));
  if (status != OutcomeStatus::failed) {
    ++shown_.done;
    shown_.work_done += coordinator_.tasks()[task].work;
    remove_checkpoints(message.trial);
  }
  carry_out(coordinator_.on_outcome(message.lease, status));
}

void Sweep::on(WorkerId id, const Stopped& message) {
  if (!coordinator_.is_running(id, message.lease)) return;
  workers_[id].progress.erase(message.lease);
  carry_out(coordinator_.on_stopped(message.lease));
}

void Sweep::on(WorkerId id, const Log& message) {
  progress_.say(fmt::format("node {} worker {}: {}", id.node, id.number, message.text));
}

void Sweep::on(WorkerId id, const Lost& message) {
  const std::string why = message.log_tail.empty()
                              ? message.reason
                              : message.reason + "; it said:\n" + message.log_tail;
  // One that fails to start does so three times, with the same words.
  if (why != last_loss_)
    progress_.say(fmt::format("node {} worker {}: {}", id.node, id.number, why));
  last_loss_ = why;
  workers_.erase(id);
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

void Sweep::drain() { carry_out(coordinator_.drain()); }

void Sweep::leave_when_finished() {
  if (!leaving_ && coordinator_.finished()) leave();
}

void Sweep::leave() {
  leaving_ = true;
  store_.record_progress(std::exchange(unsaved_progress_, {}));
  for (int node = 0; node < link_.size(); ++node)
    link_.to_node(node, to_line(Down{kWholeNode, Exit{}}));
}

void Sweep::show(Time now) {
  shown_.failed = coordinator_.failed();
  shown_.running = coordinator_.running();
  SweepProgress shown = shown_;
  for (const auto& [id, worker] : workers_) {
    shown.images_per_second += worker.images_per_second;
    for (const auto& [lease, share] : worker.progress)
      if (coordinator_.is_running(id, lease))
        shown.work_done += share * coordinator_.tasks()[coordinator_.task_of(lease)].work;
  }
  progress_.show(shown, now);
}

void Sweep::remove_checkpoints(const std::string& trial) const {
  std::error_code ignored;
  std::filesystem::remove_all(options_.work / trial, ignored);
}

}  // namespace occam
