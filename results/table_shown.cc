#include "results/table_shown.h"

#include <algorithm>

#include "results/result_field.h"
#include "results/table_axis.h"
#include "results/table_mix.h"

namespace occam {
namespace {

std::string written(const Where& where) {
  std::vector<std::string> parts;
  for (const auto& [field, values] : where) parts.push_back(field + "=" + joined(values, ","));
  return joined(parts, " ");
}

void check_fields(const TableSpec& table) {
  Labels seen;
  for (const auto& [option, fields] :
       {std::pair{"--rows", &table.rows}, std::pair{"--columns", &table.columns}})
    for (const std::string& field : *fields) {
      check_result_field(field, option);
      if (contains(seen, field))
        throw UsageError(std::string(option) + ": '" + field + "' is named twice");
      seen.push_back(field);
    }
  for (const std::string& field : table.select) check_result_field(field, "--select");
}

// What choosing by test scores would choose.
const Labels kTuned{"learning_rate", "learning_rate_scaling", "schedule",  "momentum",
                    "weight_decay",  "temperature",           "parameters"};

bool is_released(const std::string& field, const TableEntry& entry) {
  if (field == "parameters") {
    ClassifierParameters released;
    released.test_limit = entry.request.parameters.test_limit;
    return entry.request.parameters == released;
  }
  static const Trial released;
  return value_of(*entry.trial, field) == value_of(released, field);
}

}  // namespace

bool varies(const std::string& field, const TableEntries& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const TableEntry* entry) {
    return entry->value(field) != entries.front()->value(field);
  });
}

FieldValues with_conditions(FieldValues where, const FieldValues& wanted) {
  for (const auto& [field, values] : wanted) {
    std::erase_if(where, [&, &name = field](const auto& one) { return one.first == name; });
    where.emplace_back(field, values);
  }
  return where;
}

TableSpec with_options(TableSpec table, const TableSpec& wanted) {
  table.where = with_conditions(std::move(table.where), wanted.where);
  const auto take = [](auto& own, const auto& given) {
    if (!given.empty()) own = given;
  };
  take(table.rows, wanted.rows);
  take(table.columns, wanted.columns);
  take(table.references, wanted.references);
  take(table.caption, wanted.caption);
  take(table.baseline, wanted.baseline);
  take(table.select, wanted.select);
  take(table.order, wanted.order);
  take(table.sort, wanted.sort);
  table.labels.insert(table.labels.end(), wanted.labels.begin(), wanted.labels.end());
  table.mean |= wanted.mean;
  take(table.select_on, wanted.select_on);
  if (wanted.spread) table.spread = wanted.spread;
  if (is_another(wanted.metric, table.metric)) table.caption = wanted.caption;
  if (wanted.metric) table.metric = wanted.metric;
  if (wanted.claim) table.claim = wanted.claim;
  if (wanted.best) table.best = wanted.best;
  return table;
}

TableSpec chosen_table(const SweepResults& sweep, const TableSpec& wanted) {
  const bool of_spec = wanted.rows.empty() && wanted.columns.empty() && !sweep.tables.empty();
  TableSpec table = of_spec ? with_options(sweep.tables.front().second, wanted) : wanted;
  check_fields(table);
  return table;
}

Labels default_rows(const TableEntries& entries, const TableSpec& spec) {
  Labels wished{"batch_size", "variant"};
  for (const std::string& field : result_fields())
    if (field != "class" && field != "class_name" && field != "seed") wished.push_back(field);
  for (const std::string& field : wished)
    if (!contains(spec.columns, field) && !contains(spec.select, field) && varies(field, entries))
      return {field};
  return {contains(spec.columns, "loss") ? "class_name" : "loss"};
}

Labels default_columns(const TableEntries& entries, const TableSpec& spec) {
  Labels columns;
  const auto free = [&](std::string_view field) {
    return !contains(spec.rows, field) && !contains(spec.select, field);
  };
  for (const char* field : {"dataset", "source", "loss", "features", "classifier"})
    if (free(field) && varies(field, entries)) columns.emplace_back(field);
  // Whatever else cells would mix.
  for (bool mixing = true; mixing;) {
    mixing = false;
    for (const auto& [place, cell] : grid_of(entries, spec.rows, columns)) {
      const auto mix = mixed_field(cell, spec.mean);
      if (!mix || !free(mix->field)) continue;
      columns.push_back(mix->field);
      mixing = true;
      break;
    }
  }
  if (columns.empty())
    columns.emplace_back(contains(spec.rows, "classifier") ? "dataset" : "classifier");
  return columns;
}

Shown shown_entries(const TableSpec& spec, const TableEntries& all) {
  check_where("--where", spec.where, all);
  check_where("--order", spec.order, all);
  for (const TableSpec::Reference& reference : spec.references)
    check_where("reference '" + reference.name + "'", reference.where, all);
  Shown shown{{}, std::vector<TableEntries>(spec.references.size())};
  for (const TableEntry* entry : all) {
    bool is_reference = false;
    for (std::size_t i = 0; i < spec.references.size(); ++i) {
      is_reference |= accepts(spec.references[i].where, *entry);
      if (belongs(*entry, spec.references[i], spec.where)) shown.of_reference[i].push_back(entry);
    }
    if (!is_reference && accepts(spec.where, *entry)) shown.regular.push_back(entry);
  }
  if (shown.regular.empty())
    throw UsageError("no trial of the sweep matches all of --where " + written(spec.where) +
                     (spec.references.empty() ? "" : " beside the references"));
  return shown;
}

std::map<const TableEntry*, std::string> chosen_by_where(const TableSpec& spec,
                                                         const TableEntries& all,
                                                         const TableEntries& regular) {
  Where tuned, rest;
  for (const auto& condition : spec.where)
    (contains(kTuned, condition.first) ? tuned : rest).push_back(condition);
  if (tuned.empty()) return {};
  Labels groups = spec.rows;
  groups.insert(groups.end(), spec.columns.begin(), spec.columns.end());
  std::map<Labels, bool> has_others;
  for (const TableEntry* entry : all)
    if (entry->score && accepts(rest, *entry) && !accepts(tuned, *entry))
      has_others[labels_of(*entry, groups)] = true;
  std::map<const TableEntry*, std::string> chosen;
  for (const TableEntry* entry : regular) {
    if (has_others.count(labels_of(*entry, groups)) == 0) continue;
    std::vector<std::string> parts;
    for (const auto& [field, values] : tuned)
      if (!is_released(field, *entry)) parts.push_back(field + "=" + entry->value(field));
    if (!parts.empty()) chosen.emplace(entry, joined(parts, " "));
  }
  return chosen;
}

}  // namespace occam
