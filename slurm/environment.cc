#include "slurm/environment.h"

#include <chrono>
#include <cstdlib>
#include <string_view>

#include "experiments/error.h"
#include "experiments/number.h"
#include "slurm/client.h"
#include "slurm/duration.h"

namespace occam {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::int64_t number(const char* name, std::int64_t otherwise) {
  std::int64_t value = otherwise;
  read_number(std::string_view(variable(name)), value);
  return value;
}

}  // namespace

int slurm_tasks_of_step() { return static_cast<int>(number("SLURM_STEP_NUM_TASKS", 1)); }

bool started_by_srun() {
  return !variable("SLURM_STEP_ID").empty() && variable("OMPI_COMM_WORLD_RANK").empty();
}

std::string slurm_job() {
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  return array.empty() ? variable("SLURM_JOB_ID") : array + "_" + variable("SLURM_ARRAY_TASK_ID");
}

std::int64_t slurm_restart_count() { return number("SLURM_RESTART_COUNT", 0); }

std::optional<int> slurm_cores_of_node(int tasks) {
  const std::int64_t each = number("SLURM_CPUS_PER_TASK", 0);
  const std::int64_t cores = each > 0 ? each * tasks : number("SLURM_CPUS_ON_NODE", 0);
  return cores > 0 ? std::optional(static_cast<int>(cores)) : std::nullopt;
}

std::optional<std::int64_t> slurm_job_end() {
  if (const std::int64_t end = number("SLURM_JOB_END_TIME", 0); end > 0) return end;
  // The number of an array's last task is that of the array too.
  const std::string job = slurm_job();
  if (job.empty() || !has_program("squeue")) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  try {
    Answer answer = ask_program({"squeue", "-h", "-j", job, "-o", "%L"}, std::chrono::seconds(20));
    while (!answer.out.empty() && answer.out.back() == '\n') answer.out.pop_back();
    const auto left = slurm_seconds(answer.out);
    if (!answer.ok() || !left) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::seconds>(now).count() + *left;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace occam
