#include "results/tally.h"

#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <vector>

namespace occam {
namespace {

using SQLite::Statement;

constexpr const char* kStored = R"sql(
SELECT trials, completed, diverged, collapsed, train_seconds, evaluate_seconds, started_at,
  last_outcome_at
FROM tally WHERE sweep = ?1)sql";

// The same columns of the sweep ?1. It looks at all outcomes rather than for one of every trial,
// because most trials of a large sweep have none for long.
constexpr const char* kCounted = R"sql(
SELECT
  (SELECT count(*) FROM sweep_trial WHERE sweep = ?1 AND orphaned_at IS NULL),
  count(*) FILTER (WHERE o.retired_at IS NULL AND o.status = 'completed'),
  count(*) FILTER (WHERE o.retired_at IS NULL AND o.status = 'diverged'),
  count(*) FILTER (WHERE o.retired_at IS NULL AND o.collapsed != ''),
  total(o.train_seconds) FILTER (WHERE o.retired_at IS NULL),
  total(o.evaluate_seconds) FILTER (WHERE o.retired_at IS NULL),
  coalesce((SELECT min(a.started_at) FROM attempt a NOT INDEXED WHERE EXISTS
    (SELECT 1 FROM sweep_trial s
     WHERE s.sweep = ?1 AND s.trial = a.trial AND s.orphaned_at IS NULL)), ''),
  coalesce(max(o.recorded_at), '')
FROM outcome o NOT INDEXED
WHERE EXISTS (SELECT 1 FROM sweep_trial s
  WHERE s.sweep = ?1 AND s.trial = o.trial AND s.orphaned_at IS NULL))sql";

}  // namespace

Tally tally_of(SQLite::Database& database, const std::string& sweep) {
  for (const char* sql : {kStored, kCounted}) {
    Statement row(database, sql);
    row.bind(1, sweep);
    if (!row.executeStep()) continue;
    return {row.getColumn(0).getInt64(), row.getColumn(1).getInt64(), row.getColumn(2).getInt64(),
            row.getColumn(3).getInt64(),
            // Taking away again what was added leaves a rounding.
            std::max(0.0, row.getColumn(4).getDouble()),
            std::max(0.0, row.getColumn(5).getDouble()), row.getColumn(6).getString(),
            row.getColumn(7).getString()};
  }
  return {};
}

void complete_tallies(SQLite::Database& database) {
  std::vector<std::string> sweeps;
  Statement without(database, "SELECT name FROM sweep WHERE name NOT IN (SELECT sweep FROM tally)");
  while (without.executeStep()) sweeps.push_back(without.getColumn(0).getString());
  for (const std::string& sweep : sweeps) {
    Statement insert(database,
                     std::string("INSERT INTO tally SELECT ?1, * FROM (") + kCounted + ")");
    insert.bind(1, sweep);
    insert.exec();
  }
}

}  // namespace occam
