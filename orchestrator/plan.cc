#include "orchestrator/plan.h"

#include <queue>
#include <tuple>

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

}  // namespace occam
