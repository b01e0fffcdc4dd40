#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace occam {

// A child process that speaks lines: pipes to its stdin, stdout and stderr, a process group of its
// own (a terminal's Ctrl-C and mpirun's signals do not reach it), no other descriptor of ours. Dies
// with this object. One thread.
class WorkerProcess {
 public:
  // Throws Error when the program cannot be started.
  explicit WorkerProcess(const std::vector<std::string>& words);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;

  // Queued, and written as the pipe takes it: a stuck child never blocks us.
  void send(const std::string& line);

  // Descriptors to wait for: its output, and its input while something is queued.
  int output() const { return output_; }
  int errors() const { return errors_; }
  int input() const { return input_; }
  bool wants_to_write() const { return !unsent_.empty(); }

  // Moves what the pipes hold, without waiting. Whole lines of its stdout are returned; its stderr
  // is kept, the last 4,000 bytes. A line longer than 16 MiB ends the child.
  std::vector<std::string> pump();

  // How it ended, once its output is at its end and it is reaped: "exited with code 1", "was killed
  // by signal 9 (Killed)".
  std::optional<std::string> ended();

  const std::string& log_tail() const { return log_; }
  pid_t pid() const { return pid_; }
  void kill();  // SIGKILL to its process group

 private:
  void read_some(int& descriptor, std::string& into);
  void read_log();
  pid_t pid_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  std::string unsent_, partial_line_, log_;
  std::optional<std::string> end_;
};

}  // namespace occam
