// Long formats: one record a cell, rates in [0, 1].
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "experiments/number.h"
#include "results/printed_cell.h"
#include "results/render/formats.h"
#include "results/result_field.h"
#include "results/row_writer.h"

namespace occam {
namespace {

using Record = nlohmann::ordered_json;

Record number_or_null(const std::optional<double>& value) {
  return value ? Record(*value) : Record();
}

// A label with its type; null where the field does not apply.
Record typed(const std::string& field, const std::string& label) {
  double number = 0;
  std::int64_t integer = 0;
  if (label == kNoValue) return nullptr;
  if (is_number(field) && read_number(label, integer)) return integer;
  if (is_number(field) && read_number(label, number)) return number;
  return label;
}

void add_interval(Record& record, const std::string& name,
                  const std::optional<Interval>& interval) {
  record[name + "_low"] = nullptr;
  record[name + "_high"] = nullptr;
  if (!interval) return;
  record[name + "_low"] = interval->low;
  record[name + "_high"] = interval->high;
}

void add_difference(Record& record, const Cell& cell) {
  const Comparison found = cell.difference.value_or(Comparison{});
  record["baseline"] = cell.is_baseline;
  record["difference"] = number_or_null(found.estimate);
  add_interval(record, "difference", found.interval);
  record["p"] = number_or_null(found.p);
  record["p_holm"] = number_or_null(found.corrected);
  record["common_seeds"] = found.seeds;
  record["common_classes"] = found.tasks;
}

void add_published(Record& record, const Cell& cell) {
  for (const char* name : {"published", "published_std", "published_in", "published_difference"})
    record[name] = nullptr;
  add_interval(record, "published_difference", std::nullopt);
  record["budget"] = nullptr;
  if (!cell.published) return;
  record["published"] = cell.published->mean;
  record["published_std"] = number_or_null(cell.published->deviation);
  record["published_in"] = cell.published->source;
  record["published_difference"] = number_or_null(cell.published->difference);
  add_interval(record, "published_difference", cell.published->interval);
  record["budget"] = cell.published->budget;
}

// The same names for every cell of a table.
std::vector<Record> records_of(const Table& table) {
  const bool chosen = any_cell(table, [](const Cell& cell) { return !cell.chosen.empty(); });
  const bool published =
      any_cell(table, [](const Cell& cell) { return cell.published.has_value(); });
  std::vector<Record> records;
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      Record& record = records.emplace_back();
      const bool reference = is_reference(table, row);
      if (table.references > 0) record["reference"] = reference ? table.rows[row].front() : "";
      for (std::size_t i = 0; i < table.row_fields.size(); ++i)
        record[table.row_fields[i]] =
            typed(table.row_fields[i], reference ? std::string(kNoValue) : table.rows[row][i]);
      for (std::size_t i = 0; i < table.column_fields.size(); ++i)
        record[table.column_fields[i]] = typed(table.column_fields[i], table.columns[column][i]);
      const Cell& cell = table.cells[row][column];
      record["metric"] = to_string(table.metric);
      record["mean"] = number_or_null(cell.mean);
      record["std"] = number_or_null(cell.deviation);
      record["ci95"] = number_or_null(cell.ci95);
      record["paper_std"] = number_or_null(cell.paper_deviation);
      record["n"] = cell.count;
      record["expected"] = cell.expected;
      record["seeds"] = cell.seeds;
      record["classes"] = cell.classes;
      record["collapsed"] = cell.collapsed;
      record["diverged"] = cell.diverged;
      record["failed"] = cell.failed;
      record["updates_least"] = cell.updates ? Record(cell.updates->least) : Record();
      record["updates_most"] = cell.updates ? Record(cell.updates->most) : Record();
      record["builds"] = cell.builds;
      record["data"] = cell.data;
      if (!table.spec.baseline.empty()) add_difference(record, cell);
      if (published) add_published(record, cell);
      if (chosen) {
        record["chosen"] = cell.chosen;
        record["chosen_on"] = cell.chosen_on;
      }
    }
  return records;
}

std::string csv_value(const Record& value) {
  if (value.is_null()) return "";
  if (value.is_number_float()) return spelled(value.get<double>());
  return value.is_string() ? csv_text(value.get<std::string>()) : value.dump();
}

}  // namespace

std::string csv_of(const Table& table) {
  std::string text;
  for (const Record& record : records_of(table)) {
    std::vector<std::string> names, values;
    for (const auto& [name, value] : record.items()) {
      names.push_back(name);
      values.push_back(csv_value(value));
    }
    // Not joined(), which drops the comma after an empty first value.
    if (text.empty()) text = fmt::format("{}\n", fmt::join(names, ","));
    text += fmt::format("{}\n", fmt::join(values, ","));
  }
  return text;
}

std::string json_of(const Table& table) { return Record(records_of(table)).dump(2) + "\n"; }

}  // namespace occam
