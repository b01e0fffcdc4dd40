#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace occam {

// What came back of one table of a damaged file.
struct RecoveredTable {
  std::string name;
  std::int64_t rows = 0;        // read
  std::int64_t made_again = 0;  // from what other tables say
  std::int64_t unreadable_rows = 0, unreadable_pages = 0;
  std::int64_t left_out = 0;  // read, but what they belong to is lost
  // Where its pages begin could not be read: rows were looked for everywhere, and how many lack
  // cannot be told.
  bool begins_unknown = false;
  bool whole() const {
    return unreadable_rows + unreadable_pages + left_out + made_again == 0 && !begins_unknown;
  }
};

struct RecoveredSweep {
  std::string name;
  std::int64_t trials, with_all_scores;  // that count, or diverged
  bool spec_lost = false;                // it was planned by rows alone
};

struct Recovered {
  std::vector<RecoveredTable> tables;
  std::vector<RecoveredSweep> sweeps;  // the last recorded first
  std::int64_t lost_results = 0;       // trials whose attempt had brought an outcome
  std::int64_t unknown_builds = 0;     // outcomes that count and whose attempt is lost
  std::int64_t taken_in = 0;           // outcomes that had waited beside the file
  bool unread_beside = false;          // in a log, a journal or a spool
  bool whole() const;
};

// The build of outcomes whose attempt is lost.
inline constexpr const char* kUnknownBuild = "unknown";

}  // namespace occam
