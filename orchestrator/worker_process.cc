#include "orchestrator/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "experiments/error.h"

extern char** environ;

namespace occam {
namespace {

constexpr std::size_t kLongestLine = 16 << 20;
constexpr std::size_t kLogTail = 4000;
constexpr std::size_t kMostAtOnce = 1 << 20;

struct Pipe {
  int read_end, write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(std::string("cannot make a pipe: ") + std::strerror(errno));
  return {ends[0], ends[1]};
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& words) {
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.read_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, err.write_end, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Slurm signals every process of a step, and what such a signal means is for the coordinator to
  // say: workers never see it. They end when their input does.
  sigset_t blocked, usual;
  sigemptyset(&blocked);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&blocked, number);
  sigfillset(&usual);
  posix_spawnattr_setsigmask(&attributes, &blocked);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int problem =
      posix_spawnp(&pid_, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(in.read_end);
  close(out.write_end);
  close(err.write_end);
  input_ = in.write_end;
  output_ = out.read_end;
  errors_ = err.read_end;
  for (int descriptor : {input_, output_, errors_}) fcntl(descriptor, F_SETFL, O_NONBLOCK);
  if (problem != 0) {
    pid_ = -1;
    close_if_open(input_);
    close_if_open(output_);
    close_if_open(errors_);
    throw Error(words.front() + ": cannot start this worker: " + std::strerror(problem));
  }
}

WorkerProcess::~WorkerProcess() {
  close_if_open(input_);
  if (pid_ > 0) {
    kill();
    waitpid(pid_, nullptr, 0);
  }
  close_if_open(output_);
  close_if_open(errors_);
}

void WorkerProcess::kill() {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

void WorkerProcess::send(const std::string& line) { unsent_ += line + "\n"; }

void WorkerProcess::read_some(int& descriptor, std::string& into) {
  char buffer[65536];
  // Bounded, so that a child that never pauses cannot hold us here.
  for (std::size_t most = kMostAtOnce; descriptor >= 0 && most >= sizeof buffer;) {
    const ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
      most -= static_cast<std::size_t>(got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    close_if_open(descriptor);
  }
}

void WorkerProcess::read_log() {
  read_some(errors_, log_);
  if (log_.size() > kLogTail) log_.erase(0, log_.size() - kLogTail);
}

std::vector<std::string> WorkerProcess::pump() {
  while (!unsent_.empty() && input_ >= 0) {
    const ssize_t written = write(input_, unsent_.data(), unsent_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) break;
    if (written < 0) {
      close_if_open(input_);
      unsent_.clear();
      break;
    }
    unsent_.erase(0, static_cast<std::size_t>(written));
  }
  read_log();
  read_some(output_, partial_line_);
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = partial_line_.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    lines.push_back(partial_line_.substr(begin, end - begin));
  partial_line_.erase(0, begin);
  if (partial_line_.size() > kLongestLine) {
    kill();
    partial_line_.clear();
    log_ += "\nkilled: a line of its output is longer than 16 MiB";
  }
  return lines;
}

std::optional<std::string> WorkerProcess::ended() {
  if (end_ || output_ >= 0) return end_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  read_log();  // its last words may have come after the last pump
  if (WIFSIGNALED(status))
    end_ = "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  else
    end_ = "exited with code " + std::to_string(WEXITSTATUS(status));
  return end_;
}

}  // namespace occam
