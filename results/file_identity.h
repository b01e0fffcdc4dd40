#pragma once

#include <sys/types.h>

#include <string>

namespace occam {

// Which file a path leads to, so that it shows when somebody removes that or puts another in its
// place: whoever has it open goes on in a file without a name.
class FileIdentity {
 public:
  explicit FileIdentity(std::string path);  // now
  const std::string& path() const { return path_; }
  bool in_place() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t number_ = 0;
};

}  // namespace occam
