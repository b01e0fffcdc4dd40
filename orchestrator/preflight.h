#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/message.h"

namespace occam {

// occam-worker, beside this program.
std::string worker_program();

// Makes sure, before anything starts, that this machine has the device and can read every data set
// that the trials need; returns the device to use, "cpu" or "cuda". `worker` is --worker; a foreign
// program must be there, and is not asked. Throws Error with what would work.
std::string preflight(const std::vector<Start>& starts, const std::string& device,
                      const std::string& data, const std::string& worker);

// Throws Error unless checkpoints can be written into the folder, which need not exist yet; creates
// nothing.
void check_work_folder(const std::filesystem::path& folder);

}  // namespace occam
