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

}  // namespace occam
