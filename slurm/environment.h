#pragma once

#include <cstdint>
#include <optional>

namespace occam {

// How many tasks the Slurm step has that this process belongs to; 1 outside Slurm and in a batch
// script.
int slurm_tasks_of_step();

// When the Slurm job's time is up, in seconds since 1970; nothing outside Slurm.
std::optional<std::int64_t> slurm_job_end();

}  // namespace occam
