#include "results/file_identity.h"

#include <sys/stat.h>

#include <utility>

namespace occam {

FileIdentity::FileIdentity(std::string path) : path_(std::move(path)) {
  struct stat about {};
  if (lstat(path_.c_str(), &about) != 0) return;
  device_ = about.st_dev;
  number_ = about.st_ino;
}

bool FileIdentity::in_place() const {
  struct stat about {};
  return lstat(path_.c_str(), &about) == 0 && about.st_dev == device_ && about.st_ino == number_;
}

}  // namespace occam
