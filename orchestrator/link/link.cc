#include "orchestrator/link/link.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "experiments/error.h"
#include "slurm/environment.h"

namespace occam {

bool under_launcher() {
  return std::getenv("OMPI_COMM_WORLD_RANK") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"})
    if (const char* rank = std::getenv(name)) return std::atoi(rank);
  return 0;
}

std::unique_ptr<Link> make_link() {
  if (!under_launcher()) {
    if (slurm_tasks_of_step() > 1)
      throw Error("Slurm started " + std::to_string(slurm_tasks_of_step()) +
                  " tasks that cannot reach each other; start them with srun --mpi=pmix, or "
                  "start one");
    return std::make_unique<LocalLink>();
  }
  const std::filesystem::path module =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "occam-mpi.so";
  void* handle = dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!handle)
    throw Error("started by an MPI launcher, but without the MPI link: " + std::string(dlerror()) +
                "; build occam with -DOCCAM_MPI=ON, or start it without mpirun");
  const auto make = reinterpret_cast<Link* (*)()>(dlsym(handle, "occam_make_mpi_link"));
  if (!make) throw Error(module.string() + ": is not occam's MPI link");
  return std::unique_ptr<Link>(make());
}

}  // namespace occam
