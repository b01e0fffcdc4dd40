#pragma once

#include <filesystem>
#include <vector>

#include "results/store.h"

namespace occam {

// What lies in a folder of checkpoints (<work>/<trial>/<lease>.ckpt) and no trial will go on from:
// those of finished trials and of trials that no sweep names, and files that a crash left half
// written. Nothing may run meanwhile.
std::vector<std::filesystem::path> useless_checkpoints(const Store& store,
                                                       const std::filesystem::path& work);

}  // namespace occam
