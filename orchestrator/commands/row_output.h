#pragma once

#include <string>
#include <utility>
#include <vector>

#include "results/row_writer.h"
#include "results/store.h"

namespace occam {

// Throws UsageError naming --format.
RowFormat row_format(const std::string& name);

// The conditions of --where, whose fields select_where() checks. Throws UsageError for one that is
// no FIELD=VALUE[,VALUE].
std::vector<std::pair<std::string, std::vector<std::string>>> parse_where(
    const std::vector<std::string>& conditions);

// Writes what the statement gives to the file, or to stdout for "", row by row. Throws Error naming
// a file that cannot be written.
void print_rows(const Store& store, const std::string& sql, RowFormat format,
                const std::string& path);

}  // namespace occam
