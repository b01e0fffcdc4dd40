#pragma once

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <string>
#include <vector>

#include "results/page_file.h"

namespace occam {

// A table's columns in the order in which a page has them.
struct TableShape {
  struct Column {
    std::string name, type;
    bool nullable, is_rowid;
  };
  std::string table;
  bool has_rowids;
  std::vector<Column> columns;
  std::size_t least;  // a row of an older schema lacks the columns behind
};

// Of all tables but the one that is made of the others, in a database of the current schema.
std::vector<TableShape> shapes_of(SQLite::Database& database);

// No row fits two of them, nor does any of an index: their columns differ in number or in kind.
bool fits(const TableShape& shape, bool has_rowids, const StoredRow& row);

}  // namespace occam
