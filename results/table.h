#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "results/store.h"
#include "results/table_cell.h"

namespace occam {

class PublishedValues;

enum class TableFormat { text, md, latex, csv, json };
template <>
std::span<const std::string_view> names_of<TableFormat>();

struct TableOptions {
  // Rows and columns by result_fields(). Without both, the sweep's first table, with this `where`
  // in place of its conditions on the same fields, and whatever else is given here in place of its
  // own; without that, what varies.
  TableSpec spec;
  std::string name;      // what it is referred to by, such as a LaTeX label
  bool partial = false;  // give incomplete cells a mean
  // Let a cell mix builds, contents of the data set, or trials that differ; the table says so.
  bool pool = false;
  bool exclude_collapsed = false;
  bool is_planned = false;  // of a sweep that has not run: nothing need be there to choose by
  const PublishedValues* against = nullptr;  // what cells are compared with
};

// Conditions, of which the wanted ones replace those on the same field.
FieldValues with_conditions(FieldValues where, const FieldValues& wanted);

// A table with what `wanted` says in place of its own, conditions by with_conditions().
TableSpec with_options(TableSpec table, const TableSpec& wanted);

struct Table {
  std::string sweep, name, caption;
  std::vector<std::string> row_fields, column_fields;
  std::vector<std::vector<std::string>> rows, columns;  // labels, one a field
  std::vector<bool> row_is_mean, column_is_mean;        // over classes or data sets
  std::size_t references = 0;                           // the last rows, each with its name alone
  std::vector<std::vector<Cell>> cells;                 // [row][column]
  std::vector<std::string> notes;  // what was held fixed, incomplete cells, subsets of the test set
  TableSpec spec;                  // as made: with the rows and columns that were chosen
  Metric metric = Metric::auroc;
  Spread spread = Spread::sd;
  std::string what;                               // one sentence: what a number and its ± are
  bool best_by_row = false, best_of_all = false;  // what the best is the best of; else its column
};

// Whether one of its cells is such.
template <class Predicate>
bool any_cell(const Table& table, Predicate&& is_such) {
  return std::any_of(table.cells.begin(), table.cells.end(),
                     [&](const auto& row) { return std::any_of(row.begin(), row.end(), is_such); });
}

// The ablation table. Throws UsageError for an unknown field, a filter that matches nothing, a
// baseline that is no arm of the table, or a cell that would mix trials which differ in a field
// that is neither row, column, class nor seed (naming the field and its values, and the --rows or
// --where that would part them).
Table ablation(const SweepResults& sweep, const TableOptions& options);

// text: aligned, percent, mean ± deviation, best marked; md: a pipe table with bold; latex: a table
// environment for booktabs; csv and json: long, one row a cell, rates in [0, 1] at full precision.
// Byte-identical for identical results, whatever the locale. A text whose lines would be longer
// than `width` has its columns in several parts, one below the other; 0 is any width.
std::string render(const Table& table, TableFormat format, std::size_t width = 0);

}  // namespace occam
