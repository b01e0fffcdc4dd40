#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/coordinator.h"
#include "orchestrator/keeping.h"
#include "orchestrator/shard.h"
#include "results/store.h"

namespace occam {

// What `occam run` and `occam evaluate` were asked for.
struct RunOptions {
  std::string spec, database, device, data, work, worker, done_in;
  Order order = Order::seed_major;
  Keeping keep;
  Journal journal = Journal::automatic;
  Shard shard;
  bool score_only = false;     // occam evaluate: trains nothing
  int workers = 0, slots = 0;  // 0: as the machine has them
  int threads = 1;
  std::int64_t max_attempts = 0, limit = 0;
  double checkpoint_every = 0, silence = 0, stall = 0;  // seconds
  double walltime = 0;                                  // seconds; 0: none was named
  std::vector<std::string> only;
  int parts = 4;
  bool deterministic = false, force_gangs = false, quiet = false;
};

// Nothing after printing the help. Throws UsageError.
std::optional<RunOptions> read_run_options(const std::vector<std::string>& words, bool score_only);

}  // namespace occam
