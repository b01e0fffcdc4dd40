#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

enum class TableFormat { text, md, csv, json };
template <>
std::span<const std::string_view> names_of<TableFormat>();

struct TableOptions {
  // Rows and columns by result_fields(). Without both, the sweep's first table, with this `where`
  // in place of its conditions on the same fields; without that, what varies.
  TableSpec spec;
  bool partial = false;  // give incomplete cells a mean
  bool pool = false;     // let a cell mix builds or contents of the data set
};

// One group of results: for each seed the mean over its classes, then over the seeds.
struct Cell {
  std::optional<double> mean;       // in [0, 1]; none when incomplete and not partial, or empty
  std::optional<double> deviation;  // sample deviation (n-1) of the per-seed means; none below 2
  std::int64_t seeds = 0, classes = 0;                    // found
  std::int64_t expected_seeds = 0, expected_classes = 0;  // planned in this sweep for this cell
  std::int64_t count = 0, expected = 0;                   // (seed, class) pairs found and planned
  std::int64_t diverged = 0, failed = 0;
  bool applies = true;  // false: no trial of the sweep is planned to bring such a score
  bool best = false;    // the highest of its column by the printed precision; ties share it
};

struct Table {
  std::string sweep, caption;
  std::vector<std::string> row_fields, column_fields;
  std::vector<std::vector<std::string>> rows, columns;  // labels, one a field
  std::size_t references = 0;                           // the last rows, each with its name alone
  std::vector<std::vector<Cell>> cells;                 // [row][column]
  std::vector<std::string> notes;  // what was held fixed, incomplete cells, subsets of the test set
};

// The ablation table. Throws UsageError for an unknown field, a filter that matches nothing, or a
// cell that would mix trials which differ in a field that is neither row, column, class nor seed
// (naming the field and its values, and the --rows or --where that would part them).
Table ablation(const SweepResults& sweep, const TableOptions& options);

// text: aligned, percent, mean ± deviation, best marked; md: a pipe table with bold; csv and json:
// long, one row a cell, AUROC in [0, 1] at full precision, byte-identical for identical results.
std::string render(const Table& table, TableFormat format);

}  // namespace occam
