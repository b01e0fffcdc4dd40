#include "orchestrator/node.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/number.h"

namespace occam {

int usable_cores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0, microseconds = 0;
  if (file >> quota >> period && read_number(std::string_view(quota), microseconds) && period > 0)
    cores = std::min(cores, std::max(1, static_cast<int>(microseconds / period)));
  return cores;
}

void widen_affinity() {
  cpu_set_t every;
  CPU_ZERO(&every);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &every);
  sched_setaffinity(0, sizeof every, &every);  // the kernel keeps those that the cpuset has
}

int gpus_in(const std::string& visible_devices) {
  std::istringstream list(visible_devices);
  int count = 0;
  // CUDA stops at the first that names no device: -1, NoDevFiles of older Slurms, void.
  for (std::string one; std::getline(list, one, ',');) {
    int index = -1;
    const bool is_device = read_number(std::string_view(one), index)
                               ? index >= 0
                               : one.starts_with("GPU-") || one.starts_with("MIG-");
    if (!is_device) break;
    ++count;
  }
  return count;
}

int visible_gpus() {
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    return gpus_in(visible);
  }
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", ignored)) {
    const std::string name = entry.path().filename();
    int index = 0;
    if (name.starts_with("nvidia") && read_number(std::string_view(name).substr(6), index)) ++count;
  }
  return count;
}

std::string program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

}  // namespace occam
