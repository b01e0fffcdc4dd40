#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/message.h"

namespace occam {

// Where outcomes wait that the database could not take (a full disk, a lost mount): one JSON line
// each, beside the database, or where that cannot be written either, in the folder for temporary
// files. The next writing Store takes them in.
class OutcomeSpool {
 public:
  explicit OutcomeSpool(const std::string& database);

  // Written and synced. Returns the file; throws Error when no place takes it.
  std::filesystem::path keep(const Outcome& outcome) const;

  // All that can be read, in their order; a last line that broke off is passed over.
  std::vector<Outcome> waiting() const;
  void clear() const;

 private:
  std::vector<std::filesystem::path> places_;
};

}  // namespace occam
