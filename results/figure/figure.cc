#include "results/figure/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/number.h"
#include "results/printed_cell.h"
#include "results/result_field.h"
#include "results/table.h"
#include "results/table_entry.h"
#include "results/table_notes.h"
#include "results/table_shown.h"

namespace occam {
namespace {

using Fields = std::vector<std::string>;

// Some of a column's values: what tells lines and panels apart, whatever they are called.
Fields part_of(const Fields& values, std::size_t first, std::size_t last) {
  return {values.begin() + static_cast<std::ptrdiff_t>(first),
          values.begin() + static_cast<std::ptrdiff_t>(last)};
}

std::string label_of(const Table& table, const Fields& values, std::size_t first,
                     std::size_t last) {
  Fields parts;
  for (std::size_t i = first; i < last && i < values.size(); ++i)
    parts.push_back(printed_value(table.spec, table.column_fields[i], values[i]));
  return joined(parts);
}

std::string axis_label(const Table& table, const std::string& field) {
  const std::string shown = shown_field(table.spec, field);
  return shown == field ? printed_field(field) : shown;
}

// The place of a value, which is added where it is new.
template <class Value>
std::size_t place_of(std::vector<Value>& values, const Value& value) {
  const auto known = std::find(values.begin(), values.end(), value);
  if (known != values.end()) return static_cast<std::size_t>(known - values.begin());
  values.push_back(value);
  return values.size() - 1;
}

void check_count(const Fields& names, const std::string& field) {
  if (names.size() > kMostSeries)
    throw UsageError(
        fmt::format("--by: {} has {} values, and a picture tells {} apart; choose some "
                    "with --where {}={}, or put it first, to part the panels",
                    field, names.size(), kMostSeries, field, names.front()));
}

Point point_of(double x, const Cell& cell) {
  Point point{x, std::nullopt, std::nullopt};
  if (cell.mean) point.y = 100 * *cell.mean;
  if (cell.mean && cell.deviation) point.spread = 100 * *cell.deviation;
  return point;
}

// What the mark and the band of a value are.
void note_meaning(Figure& figure, const Table& table) {
  std::set<std::int64_t> seeds;
  for (const auto& row : table.cells)
    for (const Cell& cell : row)
      if (cell.mean) seeds.insert(cell.seeds);
  const bool per_class =
      contains(table.row_fields, "class") || contains(table.row_fields, "class_name") ||
      contains(table.column_fields, "class") || contains(table.column_fields, "class_name");
  const std::string what =
      per_class ? "mean over seeds" : "mean over the classes of each seed, then over seeds";
  if (seeds.empty() || *seeds.rbegin() < 2) {
    if (!per_class) figure.notes.emplace_back("mean over the classes");
    if (!contains(table.notes, kOneSeed)) figure.notes.emplace_back(kOneSeed);
  } else if (figure.kind == FigureKind::heat) {
    figure.notes.push_back(what);
  } else {
    figure.notes.push_back(what + " ± their sample deviation (" +
                           counted_seeds(*seeds.begin(), *seeds.rbegin()) + ")");
  }
  for (const std::string& note : table.notes) figure.notes.push_back(note);
}

// Doublings, as of batch sizes, are steps of equal size.
bool spans_magnitudes(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  if (values.size() < 3 || values.front() <= 0) return false;
  const auto less_than_double = [](double one, double next) { return next < 1.9 * one; };
  return values.back() / values.front() >= 8 ||
         std::adjacent_find(values.begin(), values.end(), less_than_double) == values.end();
}

// One series a column, in panels by all column fields but the last.
void add_series(Figure& figure, const Table& table, const std::vector<double>& x) {
  const std::size_t last = table.column_fields.size() - 1;
  Fields names;
  std::vector<Fields> panels;
  for (const Fields& column : table.columns) {
    place_of(panels, part_of(column, 0, last));
    place_of(names, column[last]);
  }
  check_count(names, table.column_fields[last]);
  for (const Fields& panel : panels) {
    figure.panels.push_back({label_of(table, panel, 0, last), {}, {}});
    for (const std::string& name : names)
      figure.panels.back().series.push_back(
          {short_name(printed_value(table.spec, table.column_fields[last], name)), {}});
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const Fields& values = table.columns[column];
    Series& series = figure.panels[place_of(panels, part_of(values, 0, last))]
                         .series[place_of(names, values[last])];
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      if (table.cells[row][column].applies)
        series.points.push_back(point_of(x[row], table.cells[row][column]));
  }
}

// What has no number stands right of the axis, each at a place of its own with room for its name:
// references, and scores that the field has no say in.
void place_names(Figure& figure, const Table& table, std::vector<double>& x) {
  std::vector<double> numbers;
  for (const double value : x)
    if (std::isfinite(value)) numbers.push_back(value);
  const auto [first, last] = std::minmax_element(numbers.begin(), numbers.end());
  constexpr double kRoom = 0.38;  // of the axis
  for (std::size_t row = 0; row < x.size(); ++row) {
    if (std::isfinite(x[row])) continue;
    const double part = kRoom * (static_cast<double>(figure.x_names.size()) + 0.8);
    x[row] = figure.log_x ? *last * std::pow(*last / *first, part)
                          : *last + part * std::max(*last - *first, 1.0);
    figure.x_names.emplace_back(x[row], short_name(labels_of_row(table, row).front()));
  }
}

Figure lines_of(const Table& table, const std::string& field) {
  Figure figure;
  figure.kind = FigureKind::lines;
  figure.x_label = axis_label(table, field);
  std::vector<double> x, numbers;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool reference = row + table.references >= table.rows.size();
    double value = NAN;
    if (reference || !read_number(table.rows[row].front(), value)) value = NAN;
    x.push_back(value);
    if (std::isfinite(value)) numbers.push_back(value);
  }
  if (numbers.empty())
    throw UsageError("--x: no result has a number as its " + field + "; draw --kind bars");
  figure.log_x = spans_magnitudes(numbers);
  place_names(figure, table, x);
  add_series(figure, table, x);
  return figure;
}

Figure bars_of(const Table& table, const std::string& field) {
  Figure figure;
  figure.kind = FigureKind::bars;
  figure.x_label = axis_label(table, field);
  std::vector<double> x;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    x.push_back(static_cast<double>(row));
    figure.x_names.emplace_back(x.back(), short_name(labels_of_row(table, row).front()));
  }
  add_series(figure, table, x);
  return figure;
}

// Rows are y, the last column field is x, those before it part the panels.
Figure heat_of(const Table& table) {
  Figure figure;
  figure.kind = FigureKind::heat;
  const std::size_t last = table.column_fields.size() - 1;
  const std::string& x_field = table.column_fields[last];
  figure.x_label = axis_label(table, x_field);
  figure.y_label = axis_label(table, table.row_fields.front());
  figure.y_grows = is_number(table.row_fields.front());
  Fields x;
  std::vector<Fields> panels;
  for (const Fields& column : table.columns) {
    place_of(panels, part_of(column, 0, last));
    place_of(x, column[last]);
  }
  if (is_number(x_field))
    std::stable_sort(x.begin(), x.end(), [](const std::string& a, const std::string& b) {
      double first = INFINITY, second = INFINITY;
      read_number(a, first);
      read_number(b, second);
      return first < second;
    });
  for (std::size_t i = 0; i < x.size(); ++i)
    figure.x_names.emplace_back(static_cast<double>(i),
                                short_name(shown_value(table.spec, x_field, x[i])));
  const std::size_t rows = table.rows.size() - table.references;
  for (std::size_t row = 0; row < rows; ++row)
    figure.y_names.push_back(short_name(labels_of_row(table, row).front()));
  for (const Fields& panel : panels)
    figure.panels.push_back({label_of(table, panel, 0, last),
                             {},
                             {rows, std::vector<std::optional<double>>(x.size(), std::nullopt)}});
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    Panel& panel = figure.panels[place_of(panels, part_of(table.columns[column], 0, last))];
    for (std::size_t row = 0; row < rows; ++row)
      if (const auto& mean = table.cells[row][column].mean)
        panel.grid[row][place_of(x, table.columns[column][last])] = 100 * *mean;
  }
  return figure;
}

Table table_of(const SweepResults& sweep, const FigureOptions& options) {
  TableOptions wanted;
  wanted.partial = options.partial;
  wanted.pool = options.pool;
  wanted.spec.where = options.where;
  wanted.spec.metric = options.metric;
  if (options.kind == FigureKind::heat) {
    if (options.x.empty() || options.y.empty())
      throw UsageError("a heat map needs two axes: --x batch_size --y learning_rate");
    wanted.spec.rows = {options.y};
    wanted.spec.columns = options.by;
    wanted.spec.columns.push_back(options.x);
  } else {
    if (!options.x.empty()) wanted.spec.rows = {options.x};
    wanted.spec.columns = options.by;
  }
  // Differences from a baseline stand in the table alone.
  wanted.spec = chosen_table(sweep, wanted.spec);
  wanted.spec.baseline.clear();
  const TableSpec labels = labels_of_tables(sweep);
  wanted.spec.labels.insert(wanted.spec.labels.begin(), labels.labels.begin(), labels.labels.end());
  return ablation(sweep, wanted);
}

}  // namespace

std::string printed_field(const std::string& field) {
  std::string text = field == "class_name" ? "class" : field;
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

TableSpec labels_of_tables(const SweepResults& sweep) {
  TableSpec all;
  for (auto table = sweep.tables.rbegin(); table != sweep.tables.rend(); ++table)
    all.labels.insert(all.labels.end(), table->second.labels.begin(), table->second.labels.end());
  return all;
}

std::string printed_value(const TableSpec& labels, const std::string& field,
                          const std::string& value) {
  const std::string shown = shown_value(labels, field, value);
  return is_number(field) && shown == one_line(value) ? printed_field(field) + " " + shown : shown;
}

std::string short_name(const std::string& name) {
  constexpr std::size_t kLongest = 32;
  if (display_width(name) <= kLongest) return name;
  std::string cut = name;
  // A letter may be several bytes, of which all but the first begin with the bits 10.
  const auto continues = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
  };
  while (display_width(cut) >= kLongest) {
    while (continues(cut.back())) cut.pop_back();
    cut.pop_back();
  }
  return cut + "…";
}

std::string counted_seeds(std::int64_t least, std::int64_t most) {
  return least == most ? fmt::format("{} seeds", least)
                       : fmt::format("{} to {} seeds", least, most);
}

template <>
std::span<const std::string_view> names_of<FigureKind>() {
  static constexpr std::string_view names[] = {"lines", "bars", "heat", "curves"};
  return names;
}

Figure figure(const SweepResults& sweep, const FigureOptions& options) {
  FigureOptions wanted = options;
  if (!wanted.kind && !wanted.y.empty()) wanted.kind = FigureKind::heat;
  if (!wanted.y.empty() && wanted.kind != FigureKind::heat)
    throw UsageError("--y is the second axis of a heat map; lines and bars show the metric there");
  const Table table = table_of(sweep, wanted);
  if (table.row_fields.size() != 1)
    throw UsageError("the table has the rows " + joined(table.row_fields) +
                     ", and an axis is one field; name it with --x, and the others with --by");
  const std::string& x = table.row_fields.front();
  if (!wanted.kind)
    wanted.kind = is_number(x) && x != "class" ? FigureKind::lines : FigureKind::bars;

  Figure made;
  switch (*wanted.kind) {
    case FigureKind::lines:
      if (!is_number(x))
        throw UsageError("--x: " + x + " is a name, and lines need a number; draw --kind bars");
      made = lines_of(table, x);
      break;
    case FigureKind::bars:
      made = bars_of(table, x);
      break;
    case FigureKind::heat:
      made = heat_of(table);
      break;
    case FigureKind::curves:
      throw std::logic_error("curves are not of scores");
  }
  made.less_is_better = less_is_better(table.metric);
  (made.kind == FigureKind::heat ? made.value_label : made.y_label) =
      printed_metric(table.metric) + (made.less_is_better ? " (%), less is better" : " (%)");
  if (table.metric != Metric::auroc) made.bars_begin = 0;
  made.title = options.title;
  note_meaning(made, table);
  return made;
}

}  // namespace occam
