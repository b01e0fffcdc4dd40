#include "results/planned_tables.h"

#include <algorithm>

#include "experiments/error.h"
#include "results/store.h"
#include "results/table.h"
#include "results/table_axis.h"

namespace occam {
namespace {

bool names_seed(const TableSpec& table) {
  const auto in = [](const FieldValues& where) {
    return std::any_of(where.begin(), where.end(),
                       [](const auto& one) { return one.first == "seed"; });
  };
  return std::count(table.rows.begin(), table.rows.end(), "seed") > 0 ||
         std::count(table.columns.begin(), table.columns.end(), "seed") > 0 || in(table.where) ||
         std::any_of(table.labels.begin(), table.labels.end(),
                     [](const auto& one) { return one.first == "seed"; }) ||
         std::any_of(table.references.begin(), table.references.end(),
                     [&](const TableSpec::Reference& one) { return in(one.where); });
}

SweepResults planned(const Spec& spec, const Expansion& expansion, bool every_seed) {
  SweepResults results;
  results.name = spec.name;
  for (const auto& requests : expansion.evaluations)
    for (const EvaluationRequest& one : requests)
      if (std::find(results.requests.begin(), results.requests.end(), one) ==
          results.requests.end())
        results.requests.push_back(one);
  const std::vector<std::int64_t> ranks = seed_ranks(expansion);
  for (std::size_t i = 0; i < expansion.trials.size(); ++i) {
    if (ranks[i] > 0 && !every_seed) continue;
    const PlannedTrial& trial = expansion.trials[i];
    results.missing.push_back({static_cast<std::int64_t>(i), "", trial.trial,
                               expansion.variants[static_cast<std::size_t>(trial.variant)],
                               applicable(expansion.evaluations[trial.evaluations], trial.trial),
                               false});
  }
  return results;
}

}  // namespace

void check_tables(const Spec& spec, const Expansion& expansion) {
  if (spec.tables.empty()) return;
  const bool every_seed = std::any_of(spec.tables.begin(), spec.tables.end(),
                                      [](const auto& table) { return names_seed(table.second); });
  const SweepResults results = planned(spec, expansion, every_seed);
  for (const auto& [title, table] : spec.tables) try {
      TableOptions options;
      options.spec = table;
      options.is_planned = true;
      ablation(results, options);
      check_labels("labels", table, results);
    } catch (const UsageError& problem) {
      throw UsageError(table.place + ": " + problem.what());
    }
}

void check_labels(const std::string& what, const TableSpec& spec, const SweepResults& sweep) {
  if (spec.labels.empty()) return;
  const std::vector<TableEntry> entries = planned_entries(sweep);
  TableEntries all;
  for (const TableEntry& entry : entries) all.push_back(&entry);
  for (const auto& [field, labels] : spec.labels)
    for (const auto& [value, label] : labels)
      if (!value.empty() && value != kMeanLabel) check_where(what, {{field, {value}}}, all);
}

}  // namespace occam
