// A sweep as it hears from its agents and their workers.
#include <fmt/format.h>

#include <algorithm>

#include "orchestrator/sweep.h"

namespace occam {
namespace {

bool brings_all(const Outcome& outcome, const std::vector<EvaluationRequest>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const EvaluationRequest& request) {
    return std::any_of(outcome.evaluations.begin(), outcome.evaluations.end(),
                       [&](const Evaluation& one) { return one.request == request; });
  });
}

}  // namespace

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
      {}};
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
    worker.progress[slot.lease].share = share;
    if (share > 0 && resumed_.erase(slot.lease) > 0)
      work_before_[task] = share * coordinator_.tasks()[task].work;
  }
}

void Sweep::on(WorkerId id, const Progress& message) {
  if (!coordinator_.is_running(id, message.lease)) return;
  workers_[id].progress[message.lease].images_per_second =
      std::max(0.0, message.images_per_second);  // 0 if it did not say
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
  else if (outcome.status == OutcomeStatus::failed && starts_[task].keep.score_only)
    take_up_unscored(outcome, task);
  else
    finish(outcome, task);
}

void Sweep::out_of_memory(const Outcome& outcome) {
  progress_.warn(fmt::format("trial {} ran out of memory: {}", outcome.trial, outcome.error));
  carry_out(coordinator_.on_out_of_memory(outcome.lease, outcome.error));
}

// Whatever is wrong with what was kept of it, a training needs none of that.
void Sweep::take_up_unscored(const Outcome& outcome, std::size_t task) {
  const bool trains = options_.trains;
  progress_.warn(fmt::format("trial {} cannot be scored by its kept features{}: {}", outcome.trial,
                             trains ? " and is trained again now" : "", outcome.error));
  starts_[task].keep.score_only = !trains;
  if (!trains) unscored_.insert(task);
  carry_out(coordinator_.on_unscored(outcome.lease, outcome.error, trains));
}

void Sweep::finish(const Outcome& outcome, std::size_t task) {
  record(outcome);
  events_.add("outcome", {{"trial", outcome.trial},
                          {"lease", outcome.lease},
                          {"status", to_string(outcome.status)},
                          {"error", outcome.error},
                          {"seconds", outcome.train_seconds + outcome.evaluate_seconds}});
  if (outcome.status == OutcomeStatus::failed) {
    progress_.warn(fmt::format("trial {} failed (attempt {} of {}): {}", outcome.trial,
                               coordinator_.tasks()[task].failed_attempts + 1,
                               options_.coordinator.max_attempts, outcome.error));
  } else {
    unscored_.erase(task);
    if (outcome.status == OutcomeStatus::diverged)
      progress_.warn(fmt::format("trial {} diverged: {}", outcome.trial, outcome.error));
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

void Sweep::on(WorkerId id, const Scoring& message) {
  if (coordinator_.is_running(id, message.lease)) carry_out(coordinator_.on_scoring(message.lease));
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
    progress_.warn(fmt::format("node {} worker {} left the gang of trial {}: {}", id.node,
                               id.number, message.trial, message.reason));
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
      progress_.warn(fmt::format("node {} worker {}: {}", id.node, id.number, why));
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

}  // namespace occam
