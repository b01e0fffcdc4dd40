#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/dataset.h"

namespace occam {

// Where data may be. `data` is --data: it holds a folder of the data set's name, or its files.
// Empty: $OCCAM_DATA, then $XDG_DATA_HOME/occam (~/.local/share/occam), then where distributions
// put it.
std::vector<std::filesystem::path> places(const std::string& name,
                                          const std::filesystem::path& data);

// A file that a data set's own site distributes. Sizes and checksums are of the file as named, 0
// and
// "" where they are not known or differ between mirrors.
struct ExpectedFile {
  std::string path;  // in the data set's folder; may also lie there with ".gz" where may_be_zipped
  std::int64_t bytes = 0;
  std::string md5 = "";
  bool may_be_zipped = false;
};

// What is known of where a data set comes from.
struct Origin {
  std::string get_it;  // a sentence: where and how
  // Files, or one of them for each image of a folder: "train/cat.0.jpg".
  std::vector<ExpectedFile> files;
  std::vector<std::string> subfolders;  // that archives of the site unpack to; looked into as well
  bool is_prepared = false;  // images of their own files: `occam data prepare` decodes them
};
const Origin& origin(Dataset dataset);

// The folder of the data set's files. `source` names that of Dataset::folder. Throws Error with the
// places that were looked in, what was looked for, and how to get it. synthetic needs none: "".
std::filesystem::path find_images(Dataset dataset, const std::string& source,
                                  const std::filesystem::path& data);

// What commands call a data set: its own name, or its folder's.
std::string called(Dataset dataset, const std::string& source);

// "occam data prepare screws --data photos", as a shell takes it: for messages.
std::string data_command(const std::string& verb, const std::string& name,
                         const std::filesystem::path& data);

// The file itself, or its ".gz" where it may be zipped and only that is there.
std::filesystem::path file_of(const std::filesystem::path& folder, const ExpectedFile& file);

}  // namespace occam
