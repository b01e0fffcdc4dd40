#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "results/figure/curves.h"
#include "results/store.h"

namespace occam {

// lines: a number against the metric; bars: a name against it; heat: the metric over two fields;
// curves: what training said of itself, over the epochs.
enum class FigureKind { lines, bars, heat, curves };
template <>
std::span<const std::string_view> names_of<FigureKind>();

struct FigureOptions {
  std::optional<FigureKind> kind;  // else what the fields suggest
  std::string x;                   // of result_fields(); "" is the row of the spec's first table
  std::string y;                   // of heat: of result_fields(); of curves: train_loss, accuracy,
                                   // learning_rate
  std::vector<std::string> by;     // the last one tells series apart, those before it panels
  FieldValues where;
  std::string title;
  bool partial = false, pool = false;  // as of tables
  std::optional<Metric> metric = {};   // else the first table's, or AUROC; of scores alone
};

struct Point {
  double x = 0;
  std::optional<double> y;       // none where there is no mean: a line breaks, a bar lacks
  std::optional<double> spread;  // sample deviation over seeds; none with one seed
};

struct Series {
  std::string name;
  std::vector<Point> points;
};

struct Panel {
  std::string title;
  std::vector<Series> series;  // of lines, bars and curves: the same names in every panel
  std::vector<std::vector<std::optional<double>>> grid;  // of heat: [y][x]
};

// A picture as data. Rates are in percent, by the rule of tables: the mean over classes within each
// seed, then over the seeds.
struct Figure {
  FigureKind kind = FigureKind::lines;
  std::string title, x_label, y_label;
  std::string value_label;      // of heat: what its colours are
  bool less_is_better = false;  // of heat: the less, the brighter
  bool log_x = false;
  double bars_begin = 50;  // where bars do: at chance, so that their lengths are what was learnt
  // Of bars and heat the names of positions 0, 1, …; of lines names at their own places, right of
  // the axis: the references of the table.
  std::vector<std::pair<double, std::string>> x_names;
  std::vector<std::string> y_names;  // of heat
  bool y_grows = false;              // they are numbers
  std::vector<Panel> panels;
  std::vector<std::string> notes;  // what the picture shows, and what was held fixed
  bool bare = false;               // drawn without title and notes
};

inline constexpr std::size_t kMostSeries = 7;  // that colours and marks tell apart

// A field's name as print has it, "batch size".
std::string printed_field(const std::string& field);
// A field's value, as the labels name it; a number alone would not say what it is of.
std::string printed_value(const TableSpec& labels, const std::string& field,
                          const std::string& value);
// What the sweep's tables call fields and values, the first above the others.
TableSpec labels_of_tables(const SweepResults& sweep);
// A name that stands at an axis or in a legend, no longer than there is room for.
std::string short_name(const std::string& name);
// "3 seeds" or "2 to 3 seeds".
std::string counted_seeds(std::int64_t least, std::int64_t most);

// What a spec's figure asks for.
FigureOptions options_of(const FigureSpec& spec);

// The figures that the sweep's spec names, in its order.
std::vector<std::pair<std::string, FigureSpec>> named_figures(const Store& store,
                                                              const std::string& sweep);

// The figure that the options ask for, of scores or of curves. Reads curves only for those.
Figure figure(const Store& store, const SweepResults& sweep, const FigureOptions& options);

// A figure of scores: lines, bars or heat, from the same cells as the ablation table. Throws
// UsageError for what a table would refuse, for an axis that is no number, and for more than
// kMostSeries.
Figure figure(const SweepResults& sweep, const FigureOptions& options);

// A figure of training curves: the mean over classes within each seed, then over seeds, of every
// epoch that all trials of the series have. Throws UsageError where a series would mix trials that
// differ in more than class and seed.
Figure curve_figure(const SweepResults& sweep, const Curves& curves, const FigureOptions& options);

}  // namespace occam
