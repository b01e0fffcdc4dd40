#pragma once

#include <optional>
#include <vector>

#include "orchestrator/coordinator.h"

namespace occam {

// What a sweep would take, found by the real Coordinator over simulated workers and a simulated
// clock.
struct Simulation {
  double wall_seconds = 0;
  double worker_seconds = 0;  // busy; over wall_seconds x workers it is the efficiency
};

// `seconds_per_work` turns Task::work into the seconds of one slot.
Simulation simulate(const std::vector<Task>& tasks, int workers, int slots,
                    double seconds_per_work);

// Seconds that a unit of Task::work took in the trials that were finished last, or nothing.
std::optional<double> measured_seconds_per_work(const Store& store);

}  // namespace occam
