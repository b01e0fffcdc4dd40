#include "orchestrator/commands/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "experiments/error.h"
#include "results/file_header.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

bool is_database(const std::string& path) {
  std::error_code none;
  if (!fs::is_regular_file(path, none)) return false;
  std::string begin(kMagic.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return begin == kMagic;
}

// A file that must not be written is not replaced either.
bool is_replaceable(const std::string& path) {
  std::error_code none;
  const fs::file_status status = fs::symlink_status(path, none);
  return !fs::exists(status) || (fs::is_regular_file(status) && access(path.c_str(), W_OK) == 0);
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  if (path == "-")
    throw UsageError("-o -: is no file's name; leave -o out to print, or give -o /dev/stdout");
  if (is_database(path))
    throw UsageError(path +
                     ": is a database, which would be lost; name another file for what is written");
  if (is_replaceable(path)) {
    partial_ = path + ".partial-" + std::to_string(getpid());
    file_.open(partial_, std::ios::binary);
    std::error_code none;
    if (file_ && fs::exists(path, none))
      fs::permissions(partial_, fs::status(path, none).permissions(), none);
  }
  if (!file_.is_open()) {
    partial_ = "";
    file_.clear();
    file_.open(path, std::ios::binary);
  }
  if (!file_) throw Error(path + ": cannot write this file (" + std::strerror(errno) + ")");
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove(partial_, ignored);
}

void OutputFile::finish() {
  file_.close();
  std::error_code problem;
  if (!file_)
    problem = {errno, std::generic_category()};
  else if (!partial_.empty())
    fs::rename(partial_, path_, problem);
  if (!file_ || problem)
    throw Error(path_ + ": cannot write this file (" + problem.message() + ")");
  partial_ = "";
}

}  // namespace occam
