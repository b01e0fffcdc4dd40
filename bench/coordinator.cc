// The coordinator by itself: dispatch-and-complete cycles a second at 10,000 workers and 1,000,000
// trials, memory a trial, and the simulation of 1,024 GPUs that fail every ten minutes.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <deque>
#include <random>

#include "orchestrator/plan.h"

namespace {

using namespace occam;

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::vector<Task> tasks(std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<Task> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    double normal = -6;  // Irwin and Hall's
    for (int k = 0; k < 12; ++k) normal += static_cast<double>(random() >> 11) * 0x1p-53;
    // The median is half an hour.
    all.push_back({"0123456789abcdef", static_cast<std::int64_t>(i % 5),
                   std::exp(std::log(1800.0) + 0.8 * normal), 64, 0});
  }
  return all;
}

void cycles() {
  constexpr std::size_t kTrials = 1'000'000;
  constexpr int kWorkers = 10'000;
  const double before = resident_mib();
  Coordinator coordinator(tasks(kTrials), {});
  const double after = resident_mib();
  std::deque<std::int64_t> running;
  const auto take = [&](const std::vector<Command>& commands) {
    for (const Command& command : commands)
      if (const auto* start = std::get_if<StartTrial>(&command)) running.push_back(start->lease);
  };
  const auto began = std::chrono::steady_clock::now();
  for (int worker = 0; worker < kWorkers; ++worker)
    take(coordinator.on_joined({worker / 8, worker % 8}, 1));
  std::size_t done = 0;
  for (; !running.empty(); ++done) {
    const std::int64_t lease = running.front();
    running.pop_front();
    take(coordinator.on_outcome(lease, OutcomeStatus::completed));
  }
  const double seconds = seconds_since(began);
  fmt::print(
      "{} trials, {} workers: {:.0f} dispatch-and-complete cycles a second, {:.0f} bytes a trial\n",
      done, kWorkers, static_cast<double>(done) / seconds,
      (after - before) * 1024 * 1024 / kTrials);
}

void simulation() {
  const std::vector<Task> all = tasks(100'000);
  double work = 0;
  std::vector<Pace> paces;
  for (const Task& task : all) {
    work += task.work;
    paces.push_back({task.work, 0});
  }
  const auto began = std::chrono::steady_clock::now();
  const Simulation result = simulate(all, paces, 1024, 1, {.every = 600});
  fmt::print(
      "1024 GPUs, 100,000 log-normal trials, a failure every 10 minutes: {} failures, {:.1f} % of "
      "the ideal, in "
      "{:.1f} s\n",
      result.failures, 100 * work / (1024 * result.wall_seconds), seconds_since(began));
}

}  // namespace

int main() {
  cycles();
  simulation();
}
