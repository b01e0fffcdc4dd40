#include "results/table_spec_json.h"

#include <nlohmann/json.hpp>

namespace occam {
namespace {

using nlohmann::json;

template <class Enum>
json name_or_null(const std::optional<Enum>& value) {
  return value ? json(to_string(*value)) : json();
}

json to_json(const TableSpec& table) {
  json references = json::array();
  for (const TableSpec::Reference& reference : table.references)
    references.push_back({{"name", reference.name}, {"where", reference.where}});
  return {{"rows", table.rows},
          {"columns", table.columns},
          {"where", table.where},
          {"references", references},
          {"caption", table.caption},
          {"mean", table.mean},
          {"baseline", table.baseline},
          {"metric", name_or_null(table.metric)},
          {"claim", name_or_null(table.claim)},
          {"spread", name_or_null(table.spread)},
          {"best", name_or_null(table.best)},
          {"select", table.select},
          {"on", table.select_on},
          {"labels", table.labels},
          {"order", table.order},
          {"sort", table.sort}};
}

// A key that an older occam did not write keeps its default.
template <class Value>
void read(const json& text, const char* key, Value& value) {
  if (text.contains(key)) text.at(key).get_to(value);
}

template <class Enum>
void read_name(const json& text, const char* key, std::optional<Enum>& value) {
  if (text.contains(key) && !text.at(key).is_null())
    value = from_name<Enum>(text.at(key).get<std::string>());
}

TableSpec from_json(const json& text) {
  TableSpec table;
  read(text, "rows", table.rows);
  read(text, "columns", table.columns);
  read(text, "where", table.where);
  read(text, "caption", table.caption);
  read(text, "mean", table.mean);
  read(text, "baseline", table.baseline);
  read_name(text, "metric", table.metric);
  read_name(text, "claim", table.claim);
  read_name(text, "spread", table.spread);
  read_name(text, "best", table.best);
  read(text, "select", table.select);
  read(text, "on", table.select_on);
  read(text, "labels", table.labels);
  read(text, "order", table.order);
  read(text, "sort", table.sort);
  for (const json& given : text.at("references"))
    table.references.push_back(
        {given.at("name").get<std::string>(), given.at("where").get<FieldValues>()});
  return table;
}

}  // namespace

std::string tables_to_json(const std::vector<std::pair<std::string, TableSpec>>& tables) {
  json all = json::array();
  for (const auto& [name, table] : tables) {
    all.push_back(to_json(table));
    all.back()["name"] = name;
  }
  return all.dump();
}

std::vector<std::pair<std::string, TableSpec>> tables_from_json(const std::string& text) {
  std::vector<std::pair<std::string, TableSpec>> tables;
  for (const json& one : json::parse(text))
    tables.emplace_back(one.at("name").get<std::string>(), from_json(one));
  return tables;
}

}  // namespace occam
