#pragma once

#include <map>
#include <string>
#include <vector>

#include "results/table_entry.h"

namespace occam {

// Hyper-parameters chosen cell by cell, each data set for itself: of the settings of some fields
// the one whose mean on a split is the best (the plan's first, of equal ones).
struct Selection {
  TableEntries entries;  // the test scores of the chosen settings
  // By the entry: "learning_rate=0.02", of several settings. An entry of the only one is not there.
  std::map<const TableEntry*, std::string> chosen;
};

// `groups` are the fields of rows and columns. Throws UsageError for a field to select that is one
// of them, and where a setting lacks a score to choose by: a choice among what happens to be there
// would favour whatever failed least. With `is_planned` it is enough that one is asked for.
Selection selected(const TableEntries& entries, const std::vector<TableEntry>& by,
                   const Labels& select, const Labels& groups, const std::string& split,
                   Metric metric, bool is_planned);

}  // namespace occam
