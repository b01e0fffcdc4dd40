#include "orchestrator/event_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

namespace occam {

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
}

EventLog::EventLog(const std::string& database)
    : file_(open(path_of(database).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {}

EventLog::~EventLog() {
  flush();
  if (file_ >= 0) close(file_);
}

void EventLog::add(const char* event, nlohmann::ordered_json facts) {
  nlohmann::ordered_json line{{"at", utc_now()}, {"event", event}};
  line.update(facts);
  unwritten_ += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void EventLog::flush() {
  if (file_ >= 0 && !unwritten_.empty()) {
    [[maybe_unused]] const ssize_t written = write(file_, unwritten_.data(), unwritten_.size());
  }
  unwritten_.clear();
}

}  // namespace occam
