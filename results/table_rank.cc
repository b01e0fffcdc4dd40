#include "results/table_rank.h"

#include <algorithm>
#include <numeric>

#include "results/printed_cell.h"
#include "results/result_field.h"
#include "results/table_axis.h"

namespace occam {
namespace {

void mark(Metric metric, std::vector<Cell*> candidates) {
  std::erase_if(candidates,
                [](const Cell* cell) { return !cell->mean || cell->count != cell->expected; });
  if (candidates.size() < 2) return;
  std::sort(candidates.begin(), candidates.end(),
            [&](const Cell* a, const Cell* b) { return is_better(metric, *a->mean, *b->mean); });
  const auto printed = [](const Cell* cell) { return percent(*cell->mean); };
  const std::string top = printed(candidates.front());
  const auto below = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Cell* cell) { return printed(cell) != top; });
  for (Cell* cell : candidates) {
    cell->best = printed(cell) == top;
    cell->second =
        candidates.size() > 2 && below != candidates.end() && printed(cell) == printed(*below);
  }
}

bool all_of_task(const std::vector<std::string>& fields) {
  return std::all_of(fields.begin(), fields.end(),
                     [](const std::string& field) { return is_of_task(field); });
}

Best resolved(const Table& table) {
  if (table.spec.best.value_or(Best::automatic) != Best::automatic) return *table.spec.best;
  // Tasks do not compete with each other: the arms are on the other axis.
  if (!all_of_task(table.row_fields)) return Best::column;
  return all_of_task(table.column_fields) ? Best::none : Best::row;
}

std::string name_of(const Table& table, std::size_t column) {
  Labels words = table.columns[column];
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = in_words(table.column_fields[i], words[i]);
  return joined(words, ",");
}

bool is_named(const Table& table, std::size_t column, const std::string& name) {
  return name == name_of(table, column) || name == joined(table.columns[column], ",");
}

// The mean that a row is sorted by.
std::optional<double> sort_key(const Table& table, std::size_t row) {
  std::vector<double> means;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const bool counts = table.spec.sort == kMeanLabel ? !table.column_is_mean[column]
                                                      : is_named(table, column, table.spec.sort);
    if (counts && table.cells[row][column].mean) means.push_back(*table.cells[row][column].mean);
  }
  if (means.empty()) return std::nullopt;
  return mean_of(means);
}

}  // namespace

void mark_best(Table& table) {
  const std::size_t rows = table.rows.size() - table.references;
  const Best best = resolved(table);
  table.best_by_row = best == Best::row;
  table.best_of_all = best == Best::table;
  std::vector<std::vector<Cell*>> groups;
  // By row, also means over the rows are a task's; means over columns are none of the columns.
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const bool competes = best == Best::row ? !table.column_is_mean[column]
                            : best == Best::table
                                ? !table.row_is_mean[row] && !table.column_is_mean[column]
                                : !table.row_is_mean[row];
      if (!competes || best == Best::none) continue;
      const std::size_t group = best == Best::row ? row : best == Best::table ? 0 : column;
      groups.resize(std::max(groups.size(), group + 1));
      groups[group].push_back(&table.cells[row][column]);
    }
  for (std::vector<Cell*>& group : groups) mark(table.metric, std::move(group));
}

void sort_rows(Table& table) {
  const std::string& by = table.spec.sort;
  if (by.empty()) return;
  std::vector<std::string> known{std::string(kMeanLabel)};
  bool is_known = by == kMeanLabel;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    known.push_back(name_of(table, column));
    is_known |= is_named(table, column, by);
  }
  if (!is_known)
    throw UsageError("--sort '" + by + "' is no column; these are: " + joined(known, " ") +
                     did_you_mean(by, known));
  std::vector<std::size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.end() - static_cast<std::ptrdiff_t>(table.references);
  for (auto first = order.begin(); first < end;) {
    const auto last =
        std::find_if(first, end, [&](std::size_t row) { return table.row_is_mean[row]; });
    std::stable_sort(first, last, [&](std::size_t a, std::size_t b) {
      const auto one = sort_key(table, a), other = sort_key(table, b);
      return one && (!other || is_better(table.metric, *one, *other));
    });
    first = last == end ? end : last + 1;
  }
  Table sorted = table;
  for (std::size_t i = 0; i < order.size(); ++i) {
    sorted.rows[i] = table.rows[order[i]];
    sorted.cells[i] = table.cells[order[i]];
  }
  table = std::move(sorted);
}

}  // namespace occam
