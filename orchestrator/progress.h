#pragma once

#include <chrono>
#include <string>

namespace occam {

// What there is to say about a running sweep.
struct SweepProgress {
  std::size_t trials = 0, done = 0, failed = 0, running = 0;  // of what was missing at the start
  double work = 0, work_done = 0;  // any unit; work_done counts finished trials and running ones
  double images_per_second = 0;
  double work_before = 0;  // of work_done: what checkpoints of earlier runs brought
};

// "12/48 trials · 2 running · 410 images/s · 1:32 left", on stderr: rewritten in place on a
// terminal, else a line whenever a further tenth is done, and at least every minute.
class ProgressLine {
 public:
  using Time = std::chrono::steady_clock::time_point;
  ProgressLine(bool quiet, Time start);
  void show(const SweepProgress& progress, Time now);
  // A line of its own, above the progress line.
  void say(const std::string& text);
  // Such a line of what went wrong, which is no progress: also where quiet.
  void warn(const std::string& text);
  void finish();

 private:
  bool quiet_, terminal_, shown_ = false;
  Time start_, last_;
  std::size_t last_tenth_ = 0;
};

// "0:41", "12:07", "3:05:00", "2 d 4 h".
std::string duration_text(double seconds);

}  // namespace occam
