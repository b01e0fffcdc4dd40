#pragma once

#include <string>
#include <vector>

namespace occam {

// Cores that this process may use: its affinity, within the cgroup's CPU quota.
int usable_cores();
// mpirun -n 1 pins its rank, and so all its children, to one core: asks for every core that the
// cgroup's cpuset allows.
void widen_affinity();

// GPUs that CUDA would see, without asking CUDA: CUDA_VISIBLE_DEVICES (indices, UUIDs or names of
// MIG slices, up to the first that is none), else the driver's device files. Workers count in it,
// so what it leaves out stays out.
int visible_gpus();
int gpus_in(const std::string& visible_devices);

// The folder of this program's executable.
std::string program_folder();

}  // namespace occam
