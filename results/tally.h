#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <string>

namespace occam {

// What a sweep's trials have brought. Times are ISO 8601, UTC, and empty where there is none; they
// and only they are also of outcomes that are retired.
struct Tally {
  std::int64_t trials, completed, diverged, collapsed;
  double train_seconds, evaluate_seconds;
  std::string started_at, last_outcome_at;
};

// The row of the table `tally` where there is one, else counted, which reads every outcome.
Tally tally_of(SQLite::Database& database, const std::string& sweep);

// Writes the rows that are not there. The schema's triggers keep one right as attempts begin and
// outcomes come and are retired, and drop it at any other change of what it counts.
void complete_tallies(SQLite::Database& database);

}  // namespace occam
