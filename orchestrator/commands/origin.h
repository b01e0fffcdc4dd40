#pragma once

#include <string>
#include <vector>

#include "results/provenance.h"

namespace occam {

// Of what `occam COMMAND DATABASES QUERY` makes of these results now.
Provenance provenance_of(const SweepResults& sweep, const std::string& command,
                         const std::vector<std::string>& databases,
                         const std::vector<std::string>& query);

// The whole file. Throws Error for one that cannot be read or is empty.
std::string read_file(const std::string& path);

// Writes text with its stamp to the file, beside it where the format has no comments.
void write_stamped(const std::string& path, const std::string& text, const Provenance& provenance);

// A written file's text without its stamp, and the stamp. Throws Error for a file without one.
struct StampedFile {
  std::string text;
  Provenance provenance;
};
StampedFile read_stamped(const std::string& path);

}  // namespace occam
