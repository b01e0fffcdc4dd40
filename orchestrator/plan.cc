#include "orchestrator/plan.h"

#include <queue>
#include <tuple>

#include "experiments/cost.h"

namespace occam {

Simulation simulate(const std::vector<Task>& tasks, int workers, int slots,
                    double seconds_per_work) {
  Coordinator coordinator(tasks, {});
  using Ending = std::pair<double, std::int64_t>;  // when, which lease
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> endings;
  Simulation result;
  double now = 0;
  const auto start = [&](const std::vector<Command>& commands) {
    for (const Command& command : commands)
      if (const auto* starting = std::get_if<StartTrial>(&command)) {
        const double seconds = tasks[starting->task].work * seconds_per_work;
        result.worker_seconds += seconds * starting->share;
        endings.emplace(now + seconds, starting->lease);
      }
  };
  for (int worker = 0; worker < workers; ++worker) start(coordinator.on_joined({0, worker}, slots));
  while (!endings.empty()) {
    std::int64_t lease;
    std::tie(now, lease) = endings.top();
    endings.pop();
    start(coordinator.on_outcome(lease, OutcomeStatus::completed));
  }
  result.wall_seconds = now;
  return result;
}

std::optional<double> measured_seconds_per_work(const Store& store) {
  const auto rows = store.query(
      "SELECT t.config, o.train_seconds FROM outcome o JOIN trial t ON t.id = o.trial WHERE "
      "o.retired_at IS NULL AND o.status = 'completed' AND o.steps > 0 ORDER BY o.recorded_at DESC "
      "LIMIT "
      "200");
  double work = 0, seconds = 0;
  for (const auto& row : rows.values) {
    work += training_macs(trial_from_json(nlohmann::json::parse(row[0].value())));
    seconds += std::stod(row[1].value());
  }
  if (work <= 0 || seconds <= 0) return std::nullopt;
  return seconds / work;
}

}  // namespace occam
