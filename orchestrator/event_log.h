#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace occam {

// What happened in a database's sweeps, one JSON object a line in "<database>.events.jsonl":
// {"at": "2026-01-01T00:00:00.000Z", "event": "started", "trial": …, "lease": …, "node": 0, …}.
// For people and `occam logs`; results depend on nothing in it, so a line that cannot be written is
// dropped. One thread.
class EventLog {
 public:
  explicit EventLog(const std::string& database);
  ~EventLog();
  EventLog(const EventLog&) = delete;

  void add(const char* event, nlohmann::ordered_json facts);
  void flush();

  static std::string path_of(const std::string& database) { return database + ".events.jsonl"; }

 private:
  int file_;
  std::string unwritten_;
};

// Now, as the store writes times: ISO 8601, UTC, milliseconds.
std::string utc_now();

}  // namespace occam
