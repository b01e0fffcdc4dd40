#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace occam {

// How many tasks the Slurm step has that this process belongs to; 1 outside Slurm and in a batch
// script.
int slurm_tasks_of_step();

// Whether srun started this process, itself and not through mpirun: it is bound to the cores that
// the step has.
bool started_by_srun();

// The Slurm job that this process belongs to, and how often Slurm has requeued it; outside Slurm an
// empty text and 0. Of an array "12_3".
std::string slurm_job();
std::int64_t slurm_restart_count();

// Cores that the job has on this node, where so many of its tasks run; nothing outside Slurm. Some
// clusters bind no process to them, so that more are in sight.
std::optional<int> slurm_cores_of_node(int tasks);

// When the Slurm job's time is up, in seconds since 1970; nothing outside Slurm or without a limit.
// Slurm before 23.02 does not say it in the environment; then squeue is asked.
std::optional<std::int64_t> slurm_job_end();

}  // namespace occam
