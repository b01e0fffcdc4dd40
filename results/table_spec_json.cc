#include "results/table_spec_json.h"

#include <nlohmann/json.hpp>

namespace occam {

using nlohmann::json;

std::string tables_to_json(const std::vector<std::pair<std::string, TableSpec>>& tables) {
  json all = json::array();
  for (const auto& [name, table] : tables) {
    json references = json::array();
    for (const TableSpec::Reference& reference : table.references)
      references.push_back({{"name", reference.name}, {"where", reference.where}});
    all.push_back({{"name", name},
                   {"rows", table.rows},
                   {"columns", table.columns},
                   {"where", table.where},
                   {"references", references},
                   {"caption", table.caption}});
  }
  return all.dump();
}

std::vector<std::pair<std::string, TableSpec>> tables_from_json(const std::string& text) {
  std::vector<std::pair<std::string, TableSpec>> tables;
  for (const json& one : json::parse(text)) {
    TableSpec table;
    one.at("rows").get_to(table.rows);
    one.at("columns").get_to(table.columns);
    one.at("where").get_to(table.where);
    one.at("caption").get_to(table.caption);
    for (const json& given : one.at("references")) {
      TableSpec::Reference reference;
      given.at("name").get_to(reference.name);
      given.at("where").get_to(reference.where);
      table.references.push_back(std::move(reference));
    }
    tables.emplace_back(one.at("name").get<std::string>(), std::move(table));
  }
  return tables;
}

}  // namespace occam
