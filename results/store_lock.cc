#include "results/store_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "experiments/error.h"

namespace occam {
namespace {

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string content(int file) {
  char text[1024];
  const ssize_t count = pread(file, text, sizeof text, 0);
  return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : "";
}

// The holder writes its lines after it got the lock, so they may not be there yet.
std::string holder(const std::string& written) {
  const auto about = nlohmann::json::parse(written, nullptr, false);
  if (!about.is_object() || !about.contains("host") || !about.contains("pid"))
    return "another process writes it; wait for that, or stop it";
  const std::string host = about["host"].is_string() ? about["host"].get<std::string>() : "?";
  const std::string pid = about["pid"].dump();
  return "process " + pid + " on " + host + " writes it; wait for that, or stop it there: kill " +
         pid;
}

}  // namespace

StoreLock::StoreLock(const std::string& database) {
  const std::string path = database + ".lock";
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0)
    throw Error(path + ": cannot be created: " + std::strerror(errno) +
                "; whoever writes a database needs write permission in its folder");
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file_, F_OFD_SETLK, &whole) != 0) {
    const int problem = errno;
    const std::string written = content(file_);
    close(file_);
    if (problem == EAGAIN || problem == EACCES) throw Error(database + ": " + holder(written));
    throw Error(path + ": cannot be locked: " + std::strerror(problem) +
                "; put the database on a file system with locks");
  }
  const std::string about = nlohmann::json{{"host", host_name()}, {"pid", getpid()}}.dump() + "\n";
  // Only for the other's message, so a full disk here is no reason to stop.
  if (ftruncate(file_, 0) == 0) {
    [[maybe_unused]] const ssize_t count = pwrite(file_, about.data(), about.size(), 0);
  }
}

StoreLock::~StoreLock() {
  [[maybe_unused]] const int emptied = ftruncate(file_, 0);
  close(file_);
}

void check_unlocked(const std::string& database) {
  const int file = open((database + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;  // nobody ever wrote it here
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const bool held = fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  const std::string written = content(file);
  close(file);
  if (held) throw Error(database + ": " + holder(written));
}

}  // namespace occam
