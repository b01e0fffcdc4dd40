#pragma once

#include <map>
#include <string>
#include <vector>

#include "results/table.h"

namespace occam {

// The options' table, else the sweep's first with what the options say in place of its own. Throws
// UsageError for fields that there are none of, or that are named twice.
TableSpec chosen_table(const SweepResults& sweep, const TableSpec& wanted);

// Which planned scores a table shows, and where.
struct Shown {
  TableEntries regular;
  std::vector<TableEntries> of_reference;  // one a reference of the spec
};
// Throws UsageError for conditions that nothing matches.
Shown shown_entries(const TableSpec& spec, const TableEntries& all);

// Rows: the batch sizes, or what else varies first. Columns: what varies beside, and whatever else
// cells would mix.
Labels default_rows(const TableEntries& entries, const TableSpec& spec);
Labels default_columns(const TableEntries& entries, const TableSpec& spec);

// By the entry: "learning_rate=0.05", where the conditions keep one of several settings whose test
// scores are in the sweep, and it is not the released one, which nobody chose on this test set.
std::map<const TableEntry*, std::string> chosen_by_where(const TableSpec& spec,
                                                         const TableEntries& all,
                                                         const TableEntries& regular);

bool varies(const std::string& field, const TableEntries& entries);

}  // namespace occam
