#include "orchestrator/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "orchestrator/terminal.h"

namespace occam {
namespace {

// A reader that has gone or a full disk under a log must not end a sweep, so failures are nothing.
void write(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// As many parts as the terminal has room for: a longer line would be left standing there.
std::string on_one_line(const std::vector<std::string>& parts, std::size_t width) {
  std::string text = parts.front();
  std::size_t columns = text.size();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    columns += 3 + parts[i].size();
    if (width > 0 && columns >= width) break;
    text += " · " + parts[i];
  }
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::llround(std::max(0.0, seconds)));
  if (whole >= 48 * 3600) return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

ProgressLine::ProgressLine(bool quiet, Time start)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1), start_(start), last_(start) {}

void ProgressLine::show(const SweepProgress& progress, Time now) {
  if (quiet_) return;
  const std::size_t tenth = progress.trials > 0 ? 10 * progress.done / progress.trials : 0;
  const auto pause = terminal_ ? std::chrono::milliseconds(500) : std::chrono::seconds(60);
  const bool due = now - last_ >= pause || (!terminal_ && tenth > last_tenth_);
  if (!due) return;
  last_ = now;
  last_tenth_ = tenth;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  std::vector<std::string> parts{fmt::format("{}/{} trials", progress.done, progress.trials)};
  if (progress.failed > 0) parts.push_back(fmt::format("{} failed", progress.failed));
  const double work_since = progress.work_done - progress.work_before;
  if (work_since > 0.005 * progress.work && elapsed > 2)
    parts.push_back(duration_text(elapsed * (progress.work - progress.work_done) / work_since) +
                    " left");
  parts.push_back(fmt::format("{} running", progress.running));
  if (progress.images_per_second > 0)
    parts.push_back(fmt::format("{:.0f} images/s", progress.images_per_second));
  const std::string text = on_one_line(parts, terminal_width(STDERR_FILENO));
  write(terminal_ ? "\r\033[K" + text : text + "\n");
  shown_ = true;
}

void ProgressLine::say(const std::string& text) {
  if (!quiet_) warn(text);
}

void ProgressLine::warn(const std::string& text) {
  write((terminal_ && shown_ ? "\r\033[K" : "") + text + "\n");
}

void ProgressLine::finish() {
  if (terminal_ && shown_ && !quiet_) write("\r\033[K");
}

}  // namespace occam
