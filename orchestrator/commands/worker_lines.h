#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/run_options.h"
#include "orchestrator/link/link.h"

namespace occam {

// What there is on a rank's machine for its workers.
struct Room {
  int rank = 0, ranks = 1;  // this one among those of the machine
  int gpus = 0, cores = 1;  // in sight
  bool own = false;         // they are this rank's alone; else all ranks of the machine share them
};
Room room_of(const Link& link, const std::string& device);

// What a rank's agent starts, one command a worker: on CPU one a core (or --workers), on CUDA one a
// GPU. Ranks that share a machine's GPUs take those of number l, l+L, … as rank l of L.
std::vector<std::vector<std::string>> worker_lines(const RunOptions& options,
                                                   const std::string& device, const Room& room);

}  // namespace occam
