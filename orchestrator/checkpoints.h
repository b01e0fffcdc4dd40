#pragma once

#include <filesystem>
#include <vector>

#include "results/store.h"

namespace occam {

// What lies in a folder of checkpoints (<work>/<trial>/<lease>.ckpt) and no trial will go on from:
// those of trials that are done, where no later attempt has begun to bring more scores, and files
// that a crash left half written; with `orphans` also those of trials that every spec has left out.
// What is of no trial that the database knows is another's. Nothing may run meanwhile.
std::vector<std::filesystem::path> useless_checkpoints(const Store& store,
                                                       const std::filesystem::path& work,
                                                       bool orphans);

// What lies in a folder of kept features (<kept>/<trial>) and no spec asks for: those of trials
// without a result that counts, or that every spec has left out; and folders that a crash left half
// written, or these alone. Nothing may run meanwhile.
std::vector<std::filesystem::path> useless_features(const Store& store,
                                                    const std::filesystem::path& kept);
std::vector<std::filesystem::path> half_written_features(const std::filesystem::path& kept);

}  // namespace occam
