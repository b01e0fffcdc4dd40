#include "results/table_axis.h"

#include <algorithm>
#include <map>

#include "results/result_field.h"

namespace occam {
namespace {

std::vector<Labels> combinations_of(const Labels& fields, const TableEntries& entries,
                                    const FieldValues& order) {
  std::vector<std::map<std::string, std::size_t>> rank(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (const std::string& value : ordered_values_of(fields[i], entries, order))
      rank[i].emplace(value, rank[i].size());
  Grouping groups(fields);
  for (const TableEntry* entry : entries) groups.of(*entry);
  std::map<std::vector<std::size_t>, Labels> sorted;
  for (const Labels& labels : groups.labels()) {
    std::vector<std::size_t> key;
    for (std::size_t i = 0; i < fields.size(); ++i) key.push_back(rank[i].at(labels[i]));
    sorted.emplace(key, labels);
  }
  std::vector<Labels> all;
  for (const auto& [key, labels] : sorted) all.push_back(labels);
  return all;
}

// The labels with kMeanLabel in place of the fields that a mean runs over.
Labels averaged(Labels labels, const Labels& fields, const Labels& over) {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (contains(over, fields[i])) labels[i] = kMeanLabel;
  return labels;
}

// Adds the means over some fields behind the last line that agrees in the fields before them.
void add_means(TableAxis& axis, const Labels& over) {
  const auto first = static_cast<std::size_t>(
      std::find_if(axis.fields.begin(), axis.fields.end(),
                   [&](const std::string& field) { return contains(over, field); }) -
      axis.fields.begin());
  const auto prefix = [&](const Labels& labels) {
    return Labels(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(first));
  };
  std::vector<AxisLine> means;
  for (std::size_t i = 0; i < axis.combinations.size(); ++i) {
    const Labels labels = averaged(axis.combinations[i], axis.fields, over);
    const auto known = std::find_if(means.begin(), means.end(),
                                    [&](const AxisLine& one) { return one.labels == labels; });
    if (known != means.end())
      known->members.push_back(i);
    else
      means.push_back({labels, true, {i}});
  }
  for (const AxisLine& mean : means) {
    if (mean.members.size() < 2) continue;
    const auto last = std::find_if(axis.lines.rbegin(), axis.lines.rend(), [&](const auto& line) {
      return prefix(line.labels) == prefix(mean.labels);
    });
    axis.lines.insert(last.base(), mean);
  }
}

}  // namespace

bool is_of_task(std::string_view field) {
  return is_of_dataset(field) || field == "class" || field == "class_name";
}

bool is_of_dataset(std::string_view field) { return field == "dataset" || field == "source"; }

Labels ordered_values_of(std::string_view field, const TableEntries& entries,
                         const FieldValues& order) {
  Labels values = values_of(field, entries);
  for (const auto& [name, wanted] : order) {
    if (name != field) continue;
    const auto place = [&, &first = wanted](const std::string& value) {
      return std::find_if(
                 first.begin(), first.end(),
                 [&](const std::string& written) { return same_value(field, value, written); }) -
             first.begin();
    };
    std::stable_sort(values.begin(), values.end(), [&](const std::string& a, const std::string& b) {
      return place(a) < place(b);
    });
  }
  return values;
}

Grid grid_of(const TableEntries& entries, const Labels& rows, const Labels& columns) {
  Labels both = rows;
  both.insert(both.end(), columns.begin(), columns.end());
  Grouping groups(both);
  std::vector<TableEntries> cells;
  for (const TableEntry* entry : entries) {
    const std::size_t group = groups.of(*entry);
    if (group == cells.size()) cells.emplace_back();
    cells[group].push_back(entry);
  }
  Grid grid;
  for (std::size_t group = 0; group < cells.size(); ++group) {
    const Labels& labels = groups.labels()[group];
    const auto middle = labels.begin() + static_cast<std::ptrdiff_t>(rows.size());
    grid[{Labels(labels.begin(), middle), Labels(middle, labels.end())}] = std::move(cells[group]);
  }
  return grid;
}

TableAxis table_axis(const Labels& fields, const TableEntries& entries, const FieldValues& order,
                     bool means) {
  TableAxis axis{fields, combinations_of(fields, entries, order), {}};
  for (std::size_t i = 0; i < axis.combinations.size(); ++i)
    axis.lines.push_back({axis.combinations[i], false, {i}});
  if (!means) return axis;
  const bool classes = contains(fields, "class") || contains(fields, "class_name");
  if (classes) add_means(axis, {"class", "class_name"});
  // One data set's mean over its classes is there already.
  for (const char* field : {"dataset", "source"})
    if (contains(fields, field) && values_of(field, entries).size() > 1) {
      add_means(axis, {"dataset", "source", "class", "class_name"});
      break;
    }
  return axis;
}

}  // namespace occam
