#include "results/table_shape.h"

#include <SQLiteCpp/Statement.h>

#include "results/schema.h"

namespace occam {
namespace {

using nlohmann::json;
using SQLite::Statement;

std::vector<TableShape::Column> columns_of(SQLite::Database& database, const std::string& table,
                                           bool has_rowids) {
  std::vector<TableShape::Column> all;
  Statement columns(database,
                    "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY " +
                        std::string(has_rowids ? "cid" : "pk = 0, pk, cid"));
  columns.bind(1, table);
  while (columns.executeStep()) {
    const std::string type = columns.getColumn(1).getString();
    const bool key = columns.getColumn(3).getInt() > 0;
    all.push_back({columns.getColumn(0).getString(), type,
                   columns.getColumn(2).getInt() == 0 && !key,
                   has_rowids && key && type == "INTEGER"});
  }
  return all;
}

bool fits(const TableShape::Column& column, const json& value) {
  if (column.is_rowid) return value.is_null();  // it stands beside the row
  if (value.is_null()) return column.nullable;
  if (column.type == "TEXT") return value.is_string();
  return value.is_number_integer() || (column.type == "REAL" && value.is_number());
}

}  // namespace

bool fits(const TableShape& shape, bool has_rowids, const StoredRow& row) {
  const std::size_t count = row.values.size();
  if (shape.has_rowids != has_rowids || count < shape.least || count > shape.columns.size())
    return false;
  for (std::size_t i = 0; i < count; ++i)
    if (!fits(shape.columns[i], row.values[i])) return false;
  return true;
}

std::vector<TableShape> shapes_of(SQLite::Database& database) {
  SQLite::Database first(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  create_first_tables(first);
  std::vector<TableShape> shapes;
  Statement tables(first,
                   "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE "
                   "'sqlite%' ORDER BY name");
  while (tables.executeStep()) {
    const std::string table = tables.getColumn(0).getString();
    const bool has_rowids = tables.getColumn(1).getInt() == 0;
    shapes.push_back({table, has_rowids, columns_of(database, table, has_rowids),
                      columns_of(first, table, has_rowids).size()});
  }
  return shapes;
}

}  // namespace occam
