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
  std::int64_t seconds = 0;  // job.time
  int gpus = 0;              // of each node, by whichever option
  std::string data;          // folder of the data sets, for `occam run`
  int chain = 1;             // jobs after one another
  bool dry_run = false, parsable = false;
};

// Nothing after printing the help. Throws UsageError.
std::optional<SubmitOptions> read_submit_options(const std::vector<std::string>& words);

}  // namespace occam
