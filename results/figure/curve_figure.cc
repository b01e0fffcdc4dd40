#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "results/figure/figure.h"
#include "results/result_field.h"
#include "results/statistics/paired.h"
#include "results/table_entry.h"

namespace occam {
namespace {

using Fields = std::vector<std::string>;
constexpr std::size_t kMostPoints = 400;  // more is not seen

struct Shown {
  std::string y, label;
  double CurvePoint::*member;
};
const Shown& shown(const std::string& y) {
  static const std::vector<Shown> all{
      {"train_loss", "training loss", &CurvePoint::loss},
      {"accuracy", "training accuracy", &CurvePoint::accuracy},
      {"learning_rate", "learning rate", &CurvePoint::learning_rate}};
  for (const Shown& one : all)
    if (one.y == y || (y.empty() && &one == &all.front())) return one;
  const Fields names{"train_loss", "accuracy", "learning_rate"};
  throw UsageError("--y: '" + y + "' is no curve; there are: " + joined(names) +
                   did_you_mean(y, names));
}

// One trained trial of the sweep that the conditions choose.
struct Trained {
  const TableEntry* entry;
  const std::vector<CurvePoint>* curve;
};

void check_alike(const std::vector<Trained>& series, const std::string& name,
                 const FigureOptions& options) {
  for (const std::string& field : result_fields()) {
    if (field == "class" || field == "class_name" || field == "seed" || is_of_request(field))
      continue;
    const std::string& first = series.front().entry->value(field);
    for (const Trained& one : series)
      if (one.entry->value(field) != first)
        throw UsageError("the curve " + (name.empty() ? "" : "'" + name + "' ") + "would mix " +
                         field + " " + first + " and " + one.entry->value(field) +
                         "; part them with --by " + joined(options.by, ",") +
                         (options.by.empty() ? "" : ",") + field + ", or choose with --where " +
                         field + "=" + first);
  }
}

void check_one_build(const std::map<std::int64_t, Trained>& trained) {
  std::string build;
  for (const auto& [position, one] : trained) {
    if (one.entry->build.empty()) continue;  // still running
    if (!build.empty() && one.entry->build != build)
      throw UsageError("the picture would mix curves of builds " + build + " and " +
                       one.entry->build + "; --pool takes them together");
    build = one.entry->build;
  }
}

Series mean_curve(const std::vector<Trained>& trials, double CurvePoint::*member,
                  const std::string& name) {
  // By epoch, seed and trial: the order of all sums.
  std::map<std::int64_t, std::map<std::int64_t, std::vector<double>>> values;
  std::map<std::int64_t, std::size_t> count;
  for (const Trained& one : trials)
    for (const CurvePoint& point : *one.curve) {
      if (!std::isfinite(point.*member)) continue;
      values[point.epoch][one.entry->trial->seed].push_back(point.*member);
      ++count[point.epoch];
    }
  std::vector<std::int64_t> epochs;
  for (const auto& [epoch, found] : count)
    if (found == trials.size()) epochs.push_back(epoch);
  const std::size_t stride = (epochs.size() + kMostPoints - 1) / kMostPoints;
  Series series{name, {}};
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    if (i % stride != 0 && i + 1 != epochs.size()) continue;
    std::vector<double> seeds;
    for (const auto& [seed, of_seed] : values[epochs[i]]) seeds.push_back(mean_of(of_seed));
    series.points.push_back(
        {static_cast<double>(epochs[i]), mean_of(seeds), sample_deviation(seeds)});
  }
  return series;
}

std::string label_of(const TableSpec& labels, const Fields& fields, const TableEntry& entry,
                     std::size_t first, std::size_t last) {
  Fields parts;
  for (std::size_t i = first; i < last; ++i)
    parts.push_back(printed_value(labels, fields[i], entry.value(fields[i])));
  return joined(parts);
}

}  // namespace

Figure curve_figure(const SweepResults& sweep, const Curves& curves, const FigureOptions& options) {
  const Shown& y = shown(options.y);
  if (!options.x.empty() && options.x != "epoch")
    throw UsageError("--x: curves have the epochs there, not " + options.x);
  if (options.metric)
    throw UsageError("--metric is of scores, and curves show what training said; leave it out");
  for (const std::string& field : options.by) {
    check_result_field(field, "--by");
    if (is_of_request(field))
      throw UsageError("--by: " + field + " is of scores, and a training has one curve for all");
  }
  const std::vector<TableEntry> entries = planned_entries(sweep);
  TableEntries all;
  for (const TableEntry& one : entries)
    if (one.request.features != Features::pixels) all.push_back(&one);
  check_where("--where", options.where, all);

  // Of a trial's several scores the first stands for it.
  std::map<std::int64_t, Trained> trained;
  for (const TableEntry* entry : all) {
    const auto curve = curves.find(id_of(*entry->trial));
    if (curve != curves.end() && accepts(options.where, *entry))
      trained.emplace(entry->order.first, Trained{entry, &curve->second});
  }
  if (trained.empty())
    throw UsageError("no trial of the sweep '" + sweep.name +
                     "' that the conditions choose has a training curve yet");

  if (!options.pool) check_one_build(trained);

  const std::size_t last = options.by.empty() ? 0 : options.by.size() - 1;
  TableEntries chosen;
  for (const auto& [position, one] : trained) chosen.push_back(one.entry);
  // Panels and series in the order of the values.
  std::map<std::pair<std::vector<std::size_t>, std::vector<std::size_t>>, std::vector<Trained>>
      groups;
  for (const auto& [position, one] : trained) {
    std::pair<std::vector<std::size_t>, std::vector<std::size_t>> key;
    for (std::size_t i = 0; i < options.by.size(); ++i) {
      const Labels values = values_of(options.by[i], chosen);
      const auto at = std::find(values.begin(), values.end(), one.entry->value(options.by[i]));
      (i < last ? key.first : key.second).push_back(static_cast<std::size_t>(at - values.begin()));
    }
    groups[key].push_back(one);
  }

  Figure figure;
  figure.kind = FigureKind::curves;
  figure.title = options.title;
  figure.x_label = "epoch";
  figure.y_label = y.label;
  const TableSpec labels = labels_of_tables(sweep);
  std::map<std::vector<std::size_t>, std::size_t> panels;
  std::map<std::vector<std::size_t>, std::string> series_names;
  for (const auto& [key, trials] : groups) {
    const TableEntry& one = *trials.front().entry;
    if (panels.emplace(key.first, figure.panels.size()).second)
      figure.panels.push_back({label_of(labels, options.by, one, 0, last), {}, {}});
    series_names[key.second] =
        short_name(label_of(labels, options.by, one, last, options.by.size()));
  }
  if (series_names.size() > kMostSeries)
    throw UsageError(fmt::format(
        "--by: {} has {} values, and a picture tells {} apart; choose some with --where",
        options.by.back(), series_names.size(), kMostSeries));
  std::set<std::int64_t> seeds;
  for (Panel& panel : figure.panels)
    for (const auto& [key, name] : series_names) panel.series.push_back({name, {}});
  for (const auto& [key, trials] : groups) {
    const std::string& name = series_names[key.second];
    check_alike(trials, name, options);
    std::set<std::int64_t> own;
    for (const Trained& one : trials) own.insert(one.entry->trial->seed);
    seeds.insert(static_cast<std::int64_t>(own.size()));
    const auto place = std::distance(series_names.begin(), series_names.find(key.second));
    figure.panels[panels[key.first]].series[static_cast<std::size_t>(place)] =
        mean_curve(trials, y.member, name);
  }
  figure.notes.push_back(
      *seeds.rbegin() < 2
          ? "mean over the classes; one seed, so no deviation"
          : "mean over the classes of each seed, then over seeds ± their sample deviation (" +
                counted_seeds(*seeds.begin(), *seeds.rbegin()) + ")");
  return figure;
}

}  // namespace occam
