#include "results/store_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "experiments/error.h"

namespace occam {
namespace {

std::string content(int file) {
  char text[1024];
  const ssize_t count = pread(file, text, sizeof text, 0);
  return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : "";
}

// The holder writes its lines after it got the lock, so they may not be there yet.
Writer writer_in(const std::string& written) {
  const auto about = nlohmann::json::parse(written, nullptr, false);
  if (!about.is_object() || !about.contains("host") || !about["host"].is_string() ||
      !about.contains("pid") || !about["pid"].is_number_integer())
    return {"another process", 0};
  const std::string host = about["host"];
  const long process = about["pid"];
  return {"process " + std::to_string(process) + " on " + host, host == host_name() ? process : 0};
}

std::string refusal(const Writer& writer) {
  return writer.name + " writes it; wait for that, or stop it" +
         (writer.process > 0 ? ": kill " + std::to_string(writer.process) : " there");
}

// Whether the holder that wrote these lines was a process of this machine that has ended.
bool is_dead(const std::string& written) {
  const long process = writer_in(written).process;
  return process > 0 && kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
}

bool is_at(const std::string& path, int file) {
  struct stat here {
  }, opened{};
  return stat(path.c_str(), &here) == 0 && fstat(file, &opened) == 0 &&
         here.st_dev == opened.st_dev && here.st_ino == opened.st_ino;
}

std::string lock_path(const std::string& database) { return database + ".lock"; }

struct flock whole_file() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

}  // namespace

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

StoreLock::StoreLock(const std::string& database)
    : database_(database), held_before_(last_held(database)) {
  take();
}

void StoreLock::take() {
  const std::string path = lock_path(database_);
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0)
    throw Error(path + ": cannot be created: " + std::strerror(errno) +
                "; whoever writes a database needs write permission in its folder");
  struct flock whole = whole_file();
  int problem = fcntl(file, F_OFD_SETLK, &whole) == 0 ? 0 : errno;
  // A child that a killed coordinator was just making holds its lock until it has become a worker.
  for (int tries = 0; problem != 0 && tries < 100 && is_dead(content(file)); ++tries) {
    usleep(20'000);
    problem = fcntl(file, F_OFD_SETLK, &whole) == 0 ? 0 : errno;
  }
  if (problem != 0) {
    const std::string written = content(file);
    close(file);
    if (problem == EAGAIN || problem == EACCES)
      throw Error(database_ + ": " + refusal(writer_in(written)));
    throw Error(path + ": cannot be locked: " + std::strerror(problem) +
                "; put the database on a file system with locks");
  }
  // Its holder may have removed it while it was being opened here.
  if (!is_at(path, file)) {
    close(file);
    return take();
  }
  const std::string about = nlohmann::json{{"host", host_name()}, {"pid", getpid()}}.dump() + "\n";
  // Only for the other's message, so a full disk here is no reason to stop.
  if (ftruncate(file, 0) == 0) {
    [[maybe_unused]] const ssize_t count = pwrite(file, about.data(), about.size(), 0);
  }
  if (file_ >= 0) close(file_);
  file_ = file;
  identity_.emplace(path);
}

void StoreLock::hold() {
  if (!identity_->in_place()) return take();
  // Where the time cannot be set, it is that of the beginning.
  [[maybe_unused]] const int marked = futimens(file_, nullptr);
}

StoreLock::~StoreLock() {
  [[maybe_unused]] const int emptied = ftruncate(file_, 0);
  close(file_);
}

double last_held(const std::string& database) {
  struct stat file {};
  if (stat(lock_path(database).c_str(), &file) != 0) return 0;
  return static_cast<double>(file.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(file.st_mtim.tv_nsec);
}

bool is_written(const std::string& database) {
  const int file = open(lock_path(database).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct flock whole = whole_file();
  // Where nothing can be said of locks, a running sweep is the better guess.
  const bool held = fcntl(file, F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
  close(file);
  return held;
}

Writer writer_of(const std::string& database) {
  const int file = open(lock_path(database).c_str(), O_RDONLY | O_CLOEXEC);
  const std::string written = content(file);
  close(file);
  return writer_in(written);
}

void check_unlocked(const std::string& database) {
  if (is_written(database)) throw Error(database + ": " + refusal(writer_of(database)));
}

}  // namespace occam
