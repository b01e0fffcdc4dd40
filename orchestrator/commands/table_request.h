#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/commands/command.h"
#include "results/published.h"
#include "results/table.h"

namespace occam {

// What one `occam table` makes.
struct TableRequest {
  std::vector<std::string> databases;  // with --check none where none is named
  std::string sweeps, table;           // --sweep and --table
  TableOptions options;                // with what the command line says; see table_of()
  std::shared_ptr<const PublishedValues> published;
  TableFormat format = TableFormat::text;
  std::string output, check;
  std::optional<double> seeds_until;  // points
  // The words that make the same table again: without databases, output and --check.
  std::vector<std::string> query;
  bool orphaned = false;  // with trials that a later spec left out
  bool helped = false;
};

// Throws UsageError for what is no option, field, value or file.
TableRequest table_request(const std::vector<std::string>& words);

// The sweeps of the databases as one; `sweeps` are names parted by commas, "" the last recorded.
SweepResults read_sweeps(const std::vector<std::string>& databases, const std::string& sweeps,
                         bool pool, bool orphaned = false);

// The text that a request makes of the sweep; `width` as of render().
std::string made(const TableRequest& request, const SweepResults& sweep, std::size_t width = 0);

// The options with the spec's table under them: that of --table, or the first, as far as the
// request has no rows and columns of its own.
TableOptions options_of(const TableRequest& request, const SweepResults& sweep);

}  // namespace occam
