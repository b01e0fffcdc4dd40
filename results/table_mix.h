#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/table_spec.h"
#include "results/table_entry.h"

namespace occam {

struct Mix {
  std::string field;
  Labels values;
};

// A field in which scores differ that a cell would average as if they were the same. Over several
// data sets (`span`) a field may follow the data set.
std::optional<Mix> mixed_field(const TableEntries& cell, bool span);

// Throws UsageError that names the field, its values and the --rows or --where that would part
// them, or the --select that chooses: by the validation split where there is one.
void check_not_mixed(const TableEntries& cell, const std::string& place, const TableSpec& spec,
                     bool has_validation);

// What differs in build or content of the data set, as a sentence; empty when nothing does.
std::string mixed_source(const TableEntries& entries);

}  // namespace occam
