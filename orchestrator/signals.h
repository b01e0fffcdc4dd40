#pragma once

namespace occam {

// SIGINT, SIGTERM, SIGUSR1 and SIGHUP as something to wait for instead of something that
// interrupts. Blocks them for the process (children get the usual handling back), ignores SIGPIPE
// and SIGXFSZ.
// One in a process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  int descriptor() const { return descriptor_; }
  // The next signal that has come, or 0.
  int take();

 private:
  int descriptor_;
};

}  // namespace occam
