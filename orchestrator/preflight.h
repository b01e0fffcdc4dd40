#pragma once

#include <string>
#include <vector>

#include "experiments/message.h"

namespace occam {

// occam-worker, beside this program.
std::string worker_program();

// Makes sure, before anything starts, that this machine has the device and can read every data set
// that the trials need; returns the device to use, "cpu" or "cuda". `worker` is --worker; a foreign
// program is not asked. Throws Error with what would work.
std::string preflight(const std::vector<Start>& starts, const std::string& device,
                      const std::string& data, const std::string& worker);

}  // namespace occam
