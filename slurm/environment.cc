#include "slurm/environment.h"

#include <cstdlib>
#include <string_view>

#include "experiments/number.h"

namespace occam {

int slurm_tasks_of_step() {
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  int count = 1;
  if (tasks) read_number(std::string_view(tasks), count);
  return count;
}

std::optional<std::int64_t> slurm_job_end() {
  const char* end = std::getenv("SLURM_JOB_END_TIME");
  std::int64_t seconds = 0;
  if (!end || !read_number(std::string_view(end), seconds)) return std::nullopt;
  return seconds;
}

}  // namespace occam
