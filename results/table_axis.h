#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "results/table_entry.h"

namespace occam {

// dataset, class and class_name name the one-class task; a mean may run over them.
bool is_of_task(std::string_view field);
// Whether a field says which data set it is: of images of the user's own the source does.
bool is_of_dataset(std::string_view field);
inline constexpr std::string_view kMeanLabel = "mean";

// The rows or columns of a table, in print order.
struct AxisLine {
  Labels labels;                     // one a field; kMeanLabel where the line runs over the field
  bool is_mean = false;              // over classes or data sets
  std::vector<std::size_t> members;  // of combinations(): the line's own, or those it runs over
};
struct TableAxis {
  Labels fields;
  std::vector<Labels> combinations;  // that occur, sorted field by field
  std::vector<AxisLine> lines;
};

// With `means`, a mean over the classes where classes are on the axis (one a data set where that is
// too), and one over the tasks of all data sets; behind the lines that it is of, and never of one.
TableAxis table_axis(const Labels& fields, const TableEntries& entries, const FieldValues& order,
                     bool means);

// Scores by their row and column labels.
using Grid = std::map<std::pair<Labels, Labels>, TableEntries>;
Grid grid_of(const TableEntries& entries, const Labels& rows, const Labels& columns);

// The distinct values of a field: first those of `order`, in its order, then the others.
Labels ordered_values_of(std::string_view field, const TableEntries& entries,
                         const FieldValues& order);

}  // namespace occam
