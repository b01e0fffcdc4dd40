#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace occam {

// "cpu", or the GPU's name. All throw Error for a GPU of which the driver tells nothing.
std::string device_name(torch::Device device);

// Bytes; 0 for a CPU.
std::int64_t device_memory(torch::Device device);

// What decides how fast a device is: its name, its multiprocessors (a part of a GPU under MIG has
// fewer) and the driver.
std::string device_kind(torch::Device device);

// Why nothing more can be done on a GPU by this process, or "": after an illegal access, say, every
// call fails.
std::string device_loss(torch::Device device);

}  // namespace occam
