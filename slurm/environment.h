#pragma once

namespace occam {

// How many tasks the Slurm step has that this process belongs to; 1 outside Slurm and in a batch
// script.
int slurm_tasks_of_step();

}  // namespace occam
