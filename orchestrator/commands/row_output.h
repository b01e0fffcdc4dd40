#pragma once

#include <string>

#include "results/row_writer.h"
#include "results/store.h"

namespace occam {

// Writes what the statement gives to the file, or to stdout for "", row by row. Throws Error naming
// a file that cannot be written.
void print_rows(const Store& store, const std::string& sql, RowFormat format,
                const std::string& path);

}  // namespace occam
