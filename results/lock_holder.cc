#include "results/lock_holder.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>

namespace occam {
namespace {

// The byte that a writer locks in the index of a write-ahead log:
// https://www.sqlite.org/walformat.html#wal_locks
constexpr std::uint64_t kWriteLock = 120;

// "08:01:1234", as /proc/locks names a file; empty where there is none.
std::string locked_name(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return "";
  char name[64];
  std::snprintf(name, sizeof name, "%02x:%02x:%lu", major(about.st_dev), minor(about.st_dev),
                static_cast<unsigned long>(about.st_ino));
  return name;
}

// Another process that holds a lock on that byte of the file, or on any; 0 where there is none. The
// kernel's list, since looking into the file itself and closing it would drop this process's own
// locks on it.
long holder_of(const std::string& path, std::uint64_t byte, bool any) {
  const std::string name = locked_name(path);
  std::ifstream locks("/proc/locks");
  for (std::string line; !name.empty() && std::getline(locks, line);) {
    char file[64], last[32];
    long pid = 0;
    unsigned long long first = 0;
    // "3: POSIX  ADVISORY  WRITE 4711 08:01:1234 120 120"; one that waits has an arrow.
    if (std::sscanf(line.c_str(), "%*d: POSIX %*s %*s %ld %63s %llu %31s", &pid, file, &first,
                    last) != 4 ||
        file != name || pid <= 0 || pid == getpid())
      continue;
    if (any || (first <= byte && byte <= std::strtoull(last, nullptr, 10))) return pid;
  }
  return 0;
}

}  // namespace

std::string lock_holder(const std::string& database) {
  long pid = holder_of(database + "-shm", kWriteLock, false);
  // With a write-ahead log everybody holds a lock on the database itself.
  if (pid == 0 && locked_name(database + "-shm").empty()) pid = holder_of(database, 0, true);
  if (pid == 0) return "another program";
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  return (name.empty() ? "a program" : name) + " (process " + std::to_string(pid) + ")";
}

}  // namespace occam
