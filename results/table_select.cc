#include "results/table_select.h"

#include <algorithm>
#include <cassert>

#include "results/result_field.h"
#include "results/statistics/paired.h"
#include "results/table_axis.h"

namespace occam {
namespace {

struct Candidate {
  std::pair<std::int64_t, std::size_t> order;  // of its first entry
  TableEntries entries;
};

std::string written(const Labels& fields, const Labels& values) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < fields.size(); ++i)
    parts.push_back(fields[i] + "=" + in_words(fields[i], values[i]));
  return joined(parts, " ");
}

}  // namespace

Selection selected(const TableEntries& entries, const std::vector<TableEntry>& by,
                   const Labels& select, const Labels& groups, const std::string& split,
                   Metric metric, bool is_planned) {
  for (const std::string& field : select)
    if (contains(groups, field) || field == "seed" || is_of_task(field))
      throw UsageError("--select " + field +
                       ": is an axis of the table, so there is nothing to choose; take it from "
                       "--rows and --columns");
  // Trials are told apart by their place in the sweep; requests by their own labels.
  const auto key_of = [](const TableEntry& entry) {
    return std::pair{entry.order.first, entry.value("features") + " " + entry.value("classifier") +
                                            " " + entry.value("parameters")};
  };
  std::map<std::pair<std::int64_t, std::string>, double> scores;
  for (const TableEntry& entry : by)
    if (entry.score || is_planned) scores.emplace(key_of(entry), entry.score.value_or(0));

  std::map<std::pair<Labels, std::string>, std::map<Labels, Candidate>> cells;
  for (const TableEntry* entry : entries) {
    Candidate& setting =
        cells[{labels_of(*entry, groups), dataset_of(*entry)}][labels_of(*entry, select)];
    if (setting.entries.empty() || entry->order < setting.order) setting.order = entry->order;
    setting.entries.push_back(entry);
  }
  Selection selection;
  for (const auto& [cell, settings] : cells) {
    const std::pair<const Labels, Candidate>* best = nullptr;
    double best_mean = 0;
    for (const auto& setting : settings) {
      std::vector<double> values;
      for (const TableEntry* entry : setting.second.entries) {
        const auto score = scores.find(key_of(*entry));
        if (score != scores.end()) values.push_back(score->second);
      }
      if (settings.size() > 1 && values.size() < setting.second.entries.size())
        throw UsageError(
            "--select " + joined(select, ",") + " --on " + split + ": " +
            std::to_string(setting.second.entries.size() - values.size()) + " of " +
            std::to_string(setting.second.entries.size()) + " scores on " + split + " lack for " +
            written(groups, cell.first) + " " + written(select, setting.first) +
            (split == "validation"
                 ? "; trials with \"validation\": true bring them, or choose --on test, which "
                   "stamps the table"
                 : "; wait for them, or narrow the table with --where"));
      const double mean = values.empty() ? 0 : mean_of(values);
      const bool better = !best || is_better(metric, mean, best_mean) ||
                          (mean == best_mean && setting.second.order < best->second.order);
      if (!better) continue;
      best = &setting;
      best_mean = mean;
    }
    assert(best);  // no cell is without a setting
    for (const TableEntry* entry : best->second.entries) {
      selection.entries.push_back(entry);
      if (settings.size() > 1) selection.chosen.emplace(entry, written(select, best->first));
    }
  }
  std::sort(selection.entries.begin(), selection.entries.end(),
            [](const TableEntry* a, const TableEntry* b) { return a->order < b->order; });
  return selection;
}

}  // namespace occam
