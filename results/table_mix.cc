#include "results/table_mix.h"

#include <algorithm>
#include <map>
#include <set>

#include "results/result_field.h"
#include "results/table_axis.h"

namespace occam {
namespace {

// Scores with the same labels are many; what they have in common is compared once.
struct Kind {
  const SharedLabels* of_trial;
  const SharedLabels* of_request;
  bool operator<(const Kind& other) const {
    return std::tie(of_trial, of_request) < std::tie(other.of_trial, other.of_request);
  }
};

}  // namespace

std::optional<Mix> mixed_field(const TableEntries& cell, bool span) {
  std::map<Kind, const TableEntry*> kinds;
  for (const TableEntry* entry : cell)
    kinds.emplace(Kind{entry->of_trial.get(), entry->of_request.get()}, entry);
  for (const std::string& field : result_fields()) {
    if (field == "class" || field == "class_name" || field == "seed") continue;
    if (field == "dataset" && span) continue;
    const std::size_t place = TableEntry::place_of(field);
    std::map<Dataset, const std::string*> values;
    for (const auto& [kind, entry] : kinds) {
      const Dataset group = span ? entry->trial->dataset : Dataset{};
      const std::string& value = entry->value_at(place);
      const auto [known, is_new] = values.emplace(group, &value);
      if (!is_new && known->second != &value && *known->second != value)
        return Mix{field, values_of(field, cell)};
    }
  }
  return std::nullopt;
}

void check_not_mixed(const TableEntries& cell, const std::string& place, const Labels& rows,
                     bool span) {
  const auto mix = mixed_field(cell, span);
  if (!mix) return;
  const auto wanted = std::find_if(mix->values.begin(), mix->values.end(),
                                   [](const std::string& value) { return value != kNoValue; });
  std::string ways = "part them with --rows " + joined(rows, ",") + "," + mix->field +
                     ", or choose with --where " + shell_word(mix->field + "=" + *wanted);
  ways += mix->field == "dataset" ? ", or average over all data sets with --mean"
                                  : ", or take them together with --pool";
  throw UsageError("the cell " + place + " would mix " + mix->field + " " + joined(mix->values) +
                   "; " + ways);
}

std::string mixed_source(const TableEntries& entries) {
  std::set<std::string> builds;
  std::map<Dataset, std::set<std::string>> data;
  for (const TableEntry* entry : entries) {
    if (!entry->auroc) continue;
    builds.insert(entry->build);
    data[entry->trial->dataset].insert(entry->data);
  }
  const auto listed = [](const std::set<std::string>& all) {
    return joined({all.begin(), all.end()}, " and ");
  };
  if (builds.size() > 1) return "builds " + listed(builds) + ", whose numbers may differ";
  for (const auto& [dataset, contents] : data)
    if (contents.size() > 1)
      return "different contents of " + to_string(dataset) + " (" + listed(contents) + ")";
  return "";
}

}  // namespace occam
