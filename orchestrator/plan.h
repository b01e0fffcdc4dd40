#pragma once

#include <optional>
#include <vector>

#include "orchestrator/coordinator.h"
#include "orchestrator/missing_work.h"
#include "orchestrator/pace.h"

namespace occam {

// What a sweep would take, found by the real Coordinator over simulated workers and a simulated
// clock.
struct Simulation {
  double wall_seconds = 0;
  double worker_seconds = 0;  // of whole workers, on work that counts
  double lost_seconds = 0;    // likewise, on work that a failure undid
  double tail_seconds = 0;    // at the end, with a worker idle
  std::int64_t failures = 0;
  // Until every cell had its first seed, and the work that counts by then.
  double first_seeds_seconds = 0, first_seeds_worker_seconds = 0;
};

// Workers that fail at random and come back.
struct Failures {
  double every = 0;               // seconds on average, anywhere; 0 is never
  double checkpoint_every = 300;  // seconds: what a failure undoes at most
  double restart = 60;            // seconds until the worker is there again
  std::uint64_t seed = 1;
};

// Workers a node, as most machines with GPUs have them.
inline constexpr int kWorkersPerNode = 8;

// With a pace for each task; a gang takes the time of one worker alone over its speedup.
Simulation simulate(const std::vector<Task>& tasks, const std::vector<Pace>& paces, int workers,
                    int slots, const Failures& failures = {});

// What a sweep adds to the disk at most, in bytes.
struct DiskNeed {
  double features = 0;  // of all its trials, as --keep leaves them by default
  // Of those that are trained at once, the last and the one that is being written; of as many that
  // are still scored, the last.
  double checkpoints = 0;
};
DiskNeed disk_need(const MissingWork& work, std::size_t running);

}  // namespace occam
