// Preloaded into a program (LD_PRELOAD), makes its calls fail as a bad disk, a full one or a crash
// in the middle of one would, and its wall clock jump.
//
// $OCCAM_FAULTY_CALLS names a file with a rule a line:
//   CALL  PATTERN  NTH  ACTION  [MARK]
// CALL is write, sync, read, rename or remove; PATTERN is compared with the file's whole path (`*`
// matches slashes too); NTH counts the matching calls of the process, and "5+" is the fifth and all
// after it. ACTION is an error (EIO, ENOSPC, EROFS, EACCES), kill (before the call), done-kill
// (after it), half-kill (after half of what was to be written), half (as much, and then an error)
// or hang (the calling thread, for ever). A sync may be a power-cut: what was appended since the
// file's last sync is gone, and so is the process. With MARK, a file that the first process to
// strike makes, a rule strikes once over all processes.
//
// $OCCAM_CLOCK names a file with the seconds by which the wall clock is off, read at every look at
// it; the monotonic clock goes right.
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <string>

namespace {

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

using Write = ssize_t (*)(int, const void*, size_t);
ssize_t really_write(int file, const void* data, size_t size) {
  static const auto write = real<Write>("write");
  return write(file, data, size);
}

struct Rule {
  std::string call, pattern, action, mark;
  long first = 1;
  bool always = false;
  std::atomic<long> calls{0};
};

std::list<Rule> read_rules() {
  std::list<Rule> rules;
  const char* const path = std::getenv("OCCAM_FAULTY_CALLS");
  std::FILE* const file = path ? std::fopen(path, "re") : nullptr;
  if (!file) return rules;
  char line[2048], call[32], pattern[512], nth[32], action[32], mark[512];
  while (std::fgets(line, sizeof line, file)) {
    mark[0] = '\0';
    if (std::sscanf(line, "%31s %511s %31s %31s %511s", call, pattern, nth, action, mark) < 4)
      continue;
    Rule& rule = rules.emplace_back();
    rule.call = call, rule.pattern = pattern, rule.action = action, rule.mark = mark;
    rule.first = std::atol(nth);
    rule.always = std::strchr(nth, '+') != nullptr;
  }
  std::fclose(file);
  return rules;
}

std::list<Rule>& rules() {
  static std::list<Rule>& all = *new std::list<Rule>(read_rules());  // calls come until the end
  return all;
}

bool concerned(const char* call) {
  return std::any_of(rules().begin(), rules().end(),
                     [&](const Rule& rule) { return rule.call == call; });
}

// The action of the rule that strikes at this call; none strikes at most.
const char* struck(const char* call, const char* path) {
  for (Rule& rule : rules()) {
    if (rule.call != call || fnmatch(rule.pattern.c_str(), path, 0) != 0) continue;
    const long number = ++rule.calls;
    if (rule.always ? number < rule.first : number != rule.first) continue;
    if (!rule.mark.empty()) {
      const int file = open(rule.mark.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
      if (file < 0) continue;
      close(file);
    }
    return rule.action.c_str();
  }
  return nullptr;
}

std::string path_of(int file) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path);
  return {path, static_cast<size_t>(std::max<ssize_t>(0, length))};
}

const char* struck(const char* call, int file) {
  return concerned(call) ? struck(call, path_of(file).c_str()) : nullptr;
}

int error_of(const std::string& action) {
  if (action == "ENOSPC" || action == "half") return ENOSPC;
  if (action == "EROFS") return EROFS;
  if (action == "EACCES") return EACCES;
  return EIO;
}

// One call, as its rule has it. `call(share)` makes it, or of what it writes that share.
template <class Call>
auto faulty(const char* action, Call&& call) -> decltype(call(1.0)) {
  if (!action) return call(1.0);
  const std::string what = action;
  if (what == "kill") raise(SIGKILL);
  if (what == "done-kill" || what == "half-kill") {
    call(what == "done-kill" ? 1.0 : 0.5);
    raise(SIGKILL);
  }
  while (what == "hang") pause();
  if (what == "half") call(0.5);
  errno = error_of(what);
  return -1;
}

int synchronise(int file, int (*next)(int)) {
  static auto& sizes = *new std::map<std::string, off_t>;  // of files, at their last sync
  if (!concerned("sync")) return next(file);
  const std::string path = path_of(file);
  const char* const action = struck("sync", path.c_str());
  if (action && std::strcmp(action, "power-cut") == 0) {
    if (ftruncate(file, sizes[path]) == 0) raise(SIGKILL);
    std::abort();
  }
  const int result = faulty(action, [&](double) { return next(file); });
  struct stat about {};
  if (result == 0 && fstat(file, &about) == 0) sizes[path] = about.st_size;
  return result;
}

size_t part(size_t size, double share) {
  return static_cast<size_t>(static_cast<double>(size) * share);
}

double clock_shift() {
  static const char* const path = std::getenv("OCCAM_CLOCK");
  if (!path) return 0;
  char text[64] = "";
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  static const auto read_it = real<ssize_t (*)(int, void*, size_t)>("read");
  const ssize_t got = read_it(file, text, sizeof text - 1);
  close(file);
  return got > 0 ? std::atof(text) : 0;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  return faulty(struck("write", file),
                [&](double share) { return really_write(file, data, part(size, share)); });
}

ssize_t writev(int file, const iovec* parts, int count) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int)>("writev");
  return faulty(struck("write", file), [&](double) { return next(file, parts, count); });
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return faulty(struck("write", file),
                [&](double share) { return next(file, data, part(size, share), at); });
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
  return pwrite(file, data, size, at);
}

ssize_t read(int file, void* data, size_t size) {
  static const auto next = real<ssize_t (*)(int, void*, size_t)>("read");
  return faulty(struck("read", file), [&](double) { return next(file, data, size); });
}

ssize_t pread(int file, void* data, size_t size, off_t at) {
  static const auto next = real<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return faulty(struck("read", file), [&](double) { return next(file, data, size, at); });
}

ssize_t pread64(int file, void* data, size_t size, off64_t at) {
  return pread(file, data, size, at);
}

int fsync(int file) {
  static const auto next = real<int (*)(int)>("fsync");
  return synchronise(file, next);
}

int fdatasync(int file) {
  static const auto next = real<int (*)(int)>("fdatasync");
  return synchronise(file, next);
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = real<int (*)(const char*, const char*)>("rename");
  return faulty(struck("rename", to), [&](double) { return next(from, to); });
}

int unlink(const char* path) noexcept {
  static const auto next = real<int (*)(const char*)>("unlink");
  return faulty(struck("remove", path), [&](double) { return next(path); });
}

int remove(const char* path) noexcept {
  static const auto next = real<int (*)(const char*)>("remove");
  return faulty(struck("remove", path), [&](double) { return next(path); });
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const auto next = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += static_cast<time_t>(clock_shift());
  return result;
}

int gettimeofday(timeval* now, void* zone) noexcept {
  static const auto next = real<int (*)(timeval*, void*)>("gettimeofday");
  const int result = next(now, zone);
  if (result == 0) now->tv_sec += static_cast<time_t>(clock_shift());
  return result;
}

time_t time(time_t* into) noexcept {
  static const auto next = real<time_t (*)(time_t*)>("time");
  const time_t now = next(nullptr) + static_cast<time_t>(clock_shift());
  if (into) *into = now;
  return now;
}

}  // extern "C"
