#pragma once

#include <string>
#include <vector>

namespace occam {

// What this cluster always wants, from the user's file.
struct Site {
  std::vector<std::string> setup;   // lines of shell; "modules" are `module load` lines here
  std::vector<std::string> sbatch;  // options for sbatch
  std::string launcher;             // srun or mpirun; empty: what the cluster has
};

// $XDG_CONFIG_HOME/occam/slurm.json, else ~/.config/occam/slurm.json.
std::string site_file();

// {"modules": [...], "setup": [...], "sbatch": [...], "launcher": "srun"}, each as wanted. Throws
// UsageError that names file and line.
Site read_site(const std::string& text, const std::string& file);
// Of site_file(); empty where there is none.
Site read_site();

}  // namespace occam
