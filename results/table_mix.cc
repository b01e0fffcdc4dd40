#include "results/table_mix.h"

#include <algorithm>
#include <map>
#include <set>

#include "results/result_field.h"
#include "results/table_axis.h"

namespace occam {
namespace {

// One of each kind: scores with the same labels are many, and what they have in common is compared
// once.
TableEntries kinds_of(TableEntries entries) {
  const auto labels = [](const TableEntry* entry) {
    return std::pair(entry->of_trial, entry->of_request);
  };
  std::sort(entries.begin(), entries.end(),
            [&](const auto* a, const auto* b) { return labels(a) < labels(b); });
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [&](const auto* a, const auto* b) { return labels(a) == labels(b); }),
                entries.end());
  return entries;
}

// Places in result_fields() of what one number must have in common.
std::vector<std::size_t> common_fields(bool span) {
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < result_fields().size(); ++place) {
    const std::string& field = result_fields()[place];
    if (field == "class" || field == "class_name" || field == "seed") continue;
    if (is_of_dataset(field) && span) continue;
    places.push_back(place);
  }
  return places;
}

}  // namespace

std::optional<Mix> mixed_field(const TableEntries& cell, bool span) {
  const std::vector<std::size_t> places = common_fields(span);
  std::size_t alike = places.size();  // so many of them, from the first
  std::map<std::string, const TableEntry*> firsts;
  for (const TableEntry* entry : kinds_of(cell)) {
    const TableEntry* first = firsts.emplace(span ? dataset_of(*entry) : "", entry).first->second;
    for (std::size_t i = 0; i < alike; ++i) {
      const std::string &one = first->value_at(places[i]), &other = entry->value_at(places[i]);
      if (&one != &other && one != other) alike = i;
    }
  }
  if (alike < places.size()) {
    const std::string& field = result_fields()[places[alike]];
    Labels values = values_of(field, cell);
    for (std::string& one : values) one = in_words(field, one);
    return Mix{field, std::move(values)};
  }
  return std::nullopt;
}

void check_not_mixed(const TableEntries& cell, const std::string& place, const TableSpec& spec,
                     bool has_validation) {
  const auto mix = mixed_field(cell, spec.mean);
  if (!mix) return;
  const auto wanted = std::find_if(mix->values.begin(), mix->values.end(),
                                   [](const std::string& value) { return value != kNoValue; });
  std::string ways = "part them with --rows " + joined(spec.rows, ",") + "," + mix->field +
                     ", or choose with --where " + shell_word(mix->field + "=" + *wanted);
  Labels select = spec.select;
  select.push_back(mix->field);
  ways += is_of_dataset(mix->field)
              ? ", or average over all data sets with --mean"
              : ", or by their scores with --select " + joined(select, ",") +
                    (has_validation ? "" : " --on test") + ", or take them together with --pool";
  throw UsageError("the cell " + place + " would mix " + mix->field + " " + joined(mix->values) +
                   "; " + ways);
}

std::string mixed_source(const TableEntries& entries) {
  std::set<std::string> builds;
  std::map<std::string, std::set<std::string>> data;
  for (const TableEntry* entry : entries) {
    if (!entry->score) continue;
    builds.insert(entry->build);
    data[dataset_of(*entry)].insert(entry->data);
  }
  const auto listed = [](const std::set<std::string>& all) {
    return joined({all.begin(), all.end()}, " and ");
  };
  if (builds.size() > 1) return "builds " + listed(builds) + ", whose numbers may differ";
  for (const auto& [dataset, contents] : data)
    if (contents.size() > 1)
      return "different contents of " + dataset + " (" + listed(contents) + ")";
  return "";
}

}  // namespace occam
