#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "experiments/message.h"

namespace occam {

enum class AttemptState {
  running,
  completed,    // brought an outcome (completed or diverged)
  failed,       // the trial's own fault while alone: counts against --max-attempts
  lost,         // its worker ended under it, which does not count: it was not alone, or had saved
  stopped,      // checkpointed and left on request
  interrupted,  // its coordinator died; found at the next open
};
template <>
std::span<const std::string_view> names_of<AttemptState>();

// What the coordinator knows of a worker when it starts an attempt there.
struct WorkerFacts {
  std::string host, device;
  std::string build;  // results of different builds do not mix in a table
  std::string libraries;
  bool deterministic = false;
  std::string revision = "";
  std::int64_t node = 0, number = 0;  // the worker's on its node
  // The scheduler's job ("12", "12_3" of an array), and how often that was requeued.
  std::string job = "";
  std::int64_t restart_count = 0;
};

// The checkpoint of an earlier attempt that a new one goes on from.
struct ContinuedCheckpoint {
  std::int64_t lease;
  std::chrono::system_clock::time_point saved_at;
};

struct AttemptBegun {
  std::string trial;
  std::int64_t lease;
  WorkerFacts worker;
  std::optional<ContinuedCheckpoint> continued = std::nullopt;
};
struct AttemptEnded {  // without an outcome
  std::int64_t lease;
  AttemptState state;
  std::string error;
};

// What a running sweep has to record, and when it came about.
struct Change {
  std::variant<AttemptBegun, AttemptEnded, Progress, Outcome> what;
  std::chrono::system_clock::time_point at = std::chrono::system_clock::now();
};

// One JSON line without its newline. Reading throws Error for anything else.
std::string to_line(const Change& change);
Change read_change(const std::string& line);

}  // namespace occam
