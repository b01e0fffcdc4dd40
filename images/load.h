#pragma once

#include <filesystem>
#include <string>

#include "experiments/spec.h"
#include "images/image_set.h"

namespace occam {

// A data set of files, read whole or mapped: any but synthetic, which has none. `source` names the
// folder of Dataset::folder; `data` is --data. Throws Error that names the file that is wrong, the
// places that were looked in and how to get the data, or the command that prepares it. `verify`
// also compares prepared images with their digest.
ImageSets load(Dataset dataset, const std::string& source, const std::filesystem::path& data,
               bool verify = false);

// Looks up what trials' images are; each folder is looked at once. Reads labels, and no image.
FindSource source_finder(const std::filesystem::path& data);

}  // namespace occam
