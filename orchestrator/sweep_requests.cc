// A sweep that is asked for something while it runs: spooled by `add`, `cancel` and `retry`.
#include <algorithm>
#include <set>

#include "orchestrator/keeping.h"
#include "orchestrator/sweep.h"

namespace occam {

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

}  // namespace occam
