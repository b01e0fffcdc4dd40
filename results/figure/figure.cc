#include "results/figure/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/number.h"
#include "results/result_field.h"
#include "results/table.h"

namespace occam {
namespace {

using Fields = std::vector<std::string>;

// A number alone would not say what it is of.
std::string label_of(const std::string& field, const std::string& value) {
  return is_number(field) ? printed_field(field) + " " + value : value;
}

std::string label_of(const Fields& fields, const Fields& values, std::size_t first,
                     std::size_t last) {
  Fields parts;
  for (std::size_t i = first; i < last && i < values.size(); ++i)
    parts.push_back(label_of(fields[i], values[i]));
  return joined(parts);
}

// The place of a name, which is added where it is new.
std::size_t place_of(Fields& names, const std::string& name) {
  const auto known = std::find(names.begin(), names.end(), name);
  if (known != names.end()) return static_cast<std::size_t>(known - names.begin());
  names.push_back(name);
  return names.size() - 1;
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

bool contains(const Fields& fields, const std::string& field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
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
  if (seeds.empty() || *seeds.rbegin() < 2)
    figure.notes.push_back(per_class ? "one seed, so no deviation"
                                     : "mean over the classes; one seed, so no deviation");
  else if (figure.kind == FigureKind::heat)
    figure.notes.push_back(what);
  else
    figure.notes.push_back(what + " ± their sample deviation (" +
                           counted_seeds(*seeds.begin(), *seeds.rbegin()) + ")");
  for (const std::string& note : table.notes) figure.notes.push_back(note);
}

// Doublings, as of batch sizes, are steps of equal size.
bool spans_magnitudes(const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return values.size() > 2 && *least > 0 && *most / *least >= 8;
}

// One series a column, in panels by all column fields but the last.
void add_series(Figure& figure, const Table& table, const std::vector<double>& x) {
  const std::size_t last = table.column_fields.size() - 1;
  Fields panels, names;
  for (const Fields& column : table.columns) {
    place_of(panels, label_of(table.column_fields, column, 0, last));
    place_of(names, label_of(table.column_fields, column, last, last + 1));
  }
  check_count(names, table.column_fields[last]);
  for (const std::string& panel : panels) {
    figure.panels.push_back({panel, {}, {}});
    for (const std::string& name : names) figure.panels.back().series.push_back({name, {}});
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const std::string panel = label_of(table.column_fields, table.columns[column], 0, last);
    const std::string name = label_of(table.column_fields, table.columns[column], last, last + 1);
    Series& series = figure.panels[place_of(panels, panel)].series[place_of(names, name)];
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
    figure.x_names.emplace_back(x[row], table.rows[row].front());
  }
}

Figure lines_of(const Table& table, const std::string& field) {
  Figure figure;
  figure.kind = FigureKind::lines;
  figure.x_label = printed_field(field);
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
  figure.x_label = printed_field(field);
  std::vector<double> x;
  for (const Fields& row : table.rows) {
    x.push_back(static_cast<double>(x.size()));
    figure.x_names.emplace_back(x.back(), row.front());
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
  figure.x_label = printed_field(x_field);
  figure.y_label = printed_field(table.row_fields.front());
  figure.y_grows = is_number(table.row_fields.front());
  Fields panels, x;
  for (const Fields& column : table.columns) {
    place_of(panels, label_of(table.column_fields, column, 0, last));
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
    figure.x_names.emplace_back(static_cast<double>(i), x[i]);
  const std::size_t rows = table.rows.size() - table.references;
  for (std::size_t row = 0; row < rows; ++row) figure.y_names.push_back(table.rows[row].front());
  for (const std::string& panel : panels)
    figure.panels.push_back(
        {panel, {}, {rows, std::vector<std::optional<double>>(x.size(), std::nullopt)}});
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    Panel& panel = figure.panels[place_of(
        panels, label_of(table.column_fields, table.columns[column], 0, last))];
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
  return ablation(sweep, wanted);
}

}  // namespace

std::string printed_field(const std::string& field) {
  std::string text = field == "class_name" ? "class" : field;
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
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
    throw UsageError("--y is the second axis of a heat map; lines and bars show AUROC there");
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
  if (made.kind != FigureKind::heat) made.y_label = "AUROC (%)";
  made.title = options.title;
  note_meaning(made, table);
  return made;
}

}  // namespace occam
