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

// Of a data set that is prepared and whose files have changed since: how, and what helps. "" where
// there is no such thing to say. Looks at names, sizes and times, and at no image.
std::string changed_since_prepared(Dataset dataset, const std::string& source,
                                   const std::filesystem::path& data);

// Looks up what trials' images are; each folder is looked at once. Reads labels, and no image.
FindSource source_finder(const std::filesystem::path& data);

// The spec's trials with what their images are. Folders of one's own whose files have changed since
// they were decoded are among the warnings, and no error: what was decoded is a whole data set,
// which the trials' ids name, and its files may have been moved away, or copied without their
// times. Those of celeba do not change, and are many.
Expansion expand_with_images(const Spec& spec, const std::filesystem::path& data);

}  // namespace occam
