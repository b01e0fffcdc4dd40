#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slurm/batch_script.h"

namespace occam {

// What `occam submit` was asked for: the job as far as the command line says it.
struct SubmitOptions {
  BatchJob job;
  std::int64_t seconds = 0;   // job.time
  int gpus = 0;               // of each node, by whichever option
  int workers = 1;            // of each node: its GPUs or cores, or --workers
  std::optional<int> shards;  // as asked for
  std::string data;           // folder of the data sets, for `occam run`
  std::vector<std::string> only;
  int chain = 1;  // jobs after one another
  bool dry_run = false, parsable = false, force_gangs = false;
};

// Nothing after printing the help. Throws UsageError.
std::optional<SubmitOptions> read_submit_options(const std::vector<std::string>& words);

// Makes the nodes an array of parts or one job over MPI: as asked for, else parts, unless the
// largest gang of the sweep is more than one node has. Throws UsageError where it cannot be so.
void divide(SubmitOptions& options, std::int64_t largest_gang);

}  // namespace occam
