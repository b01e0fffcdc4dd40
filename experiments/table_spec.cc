#include "experiments/table_spec.h"

#include <algorithm>
#include <sstream>

#include "experiments/listed_values.h"
#include "experiments/trial.h"

namespace occam {
namespace {

using Kind = JsonNode::Kind;

// The values of a field, one or a list of them, as texts.
std::vector<std::string> texts(const JsonNode& node, const std::string& field) {
  std::vector<std::string> all;
  for (const JsonNode* value : listed(node, kind_of_values(field))) {
    const nlohmann::json given = value->json();
    all.push_back(given.is_string() ? as_held(field, given.get<std::string>()) : given.dump());
  }
  return all;
}

FieldValues baseline(const JsonNode& node) {
  FieldValues all = conditions(node);
  for (const auto& [field, values] : all)
    if (values.size() != 1) node.find(field)->fail("must be one value: the baseline is one arm");
  return all;
}

std::vector<std::pair<std::string, std::string>> labels_of_field(const JsonNode& node,
                                                                 const std::string& field) {
  if (node.kind == Kind::scalar) return {{"", node.text("the field's printed name")}};
  node.require(Kind::object, "a printed name, or an object of values and their printed names");
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [value, text] : node.members)
    all.emplace_back(as_held(field, value), text.text("the value's printed name"));
  return all;
}

bool truth(const JsonNode& node) {
  if (node.kind != Kind::scalar || !node.scalar.is_boolean()) node.fail("must be true or false");
  return node.scalar.get<bool>();
}

}  // namespace

template <>
std::span<const std::string_view> names_of<Spread>() {
  static constexpr std::string_view names[] = {"sd", "ci95", "paper"};
  return names;
}

template <>
std::span<const std::string_view> names_of<Claim>() {
  static constexpr std::string_view names[] = {"seeds", "tasks"};
  return names;
}

template <>
std::span<const std::string_view> names_of<Best>() {
  static constexpr std::string_view names[] = {"automatic", "column", "row", "table", "none"};
  return names;
}

const std::vector<std::string>& result_fields() {
  static const std::vector<std::string> fields = [] {
    std::vector<std::string> all = field_names();
    for (const char* more : {"class_name", "variant", "features", "classifier", "parameters"})
      all.emplace_back(more);
    return all;
  }();
  return fields;
}

const std::string& result_field(const JsonNode& node, const std::string& field) {
  if (std::find(result_fields().begin(), result_fields().end(), field) == result_fields().end())
    node.fail("'" + field + "' is no field of a result" + did_you_mean(field, result_fields()));
  return field;
}

std::vector<std::string> field_list(const JsonNode& node) {
  std::vector<std::string> fields;
  if (node.kind == Kind::array) {
    for (const JsonNode& item : node.items) fields.push_back(item.text("a field's name"));
    if (fields.empty()) node.fail("is an empty list");
  } else {
    std::stringstream words(node.text("a field's name, or several: \"loss,classifier\""));
    for (std::string field; std::getline(words, field, ',');) fields.push_back(field);
  }
  for (const std::string& field : fields) result_field(node, field);
  return fields;
}

FieldValues conditions(const JsonNode& node) {
  node.require(Kind::object, "an object of fields and values");
  node.allow_only(result_fields());
  FieldValues where;
  for (const auto& [field, values] : node.members) where.emplace_back(field, texts(values, field));
  return where;
}

TableSpec table_spec(const JsonNode& node) {
  node.require(Kind::object, "an object with rows and columns");
  node.allow_only({"rows", "columns", "where", "references", "caption", "mean", "baseline", "claim",
                   "spread", "best", "select", "on", "labels", "order", "sort", "metric"});
  TableSpec spec;
  spec.place = node.where();
  const JsonNode* rows = node.find("rows");
  const JsonNode* columns = node.find("columns");
  if (!rows || !columns)
    node.fail(
        "needs rows and columns: {\"rows\": \"batch_size\", \"columns\": \"loss,classifier\"}");
  spec.rows = field_list(*rows);
  spec.columns = field_list(*columns);
  for (const auto& [key, value] : node.members) {
    if (key == "where") spec.where = conditions(value);
    if (key == "caption") spec.caption = value.text("a text");
    if (key == "mean") spec.mean = truth(value);
    if (key == "baseline") spec.baseline = baseline(value);
    if (key == "metric") spec.metric = value.named<Metric>(kMetricWords);
    if (key == "claim") spec.claim = value.named<Claim>("seeds or tasks");
    if (key == "spread") spec.spread = value.named<Spread>("sd, ci95 or paper");
    if (key == "best") spec.best = value.named<Best>("column, row, table or none");
    if (key == "select") spec.select = field_list(value);
    if (key == "order") spec.order = conditions(value);
    if (key == "sort") spec.sort = value.text("a column's labels: \"rotation,kde\", or \"mean\"");
    if (key == "on") {
      spec.select_on = value.text("validation or test");
      if (spec.select_on != "validation" && spec.select_on != "test")
        value.fail("'" + spec.select_on + "' is none of: validation, test");
    }
    if (key == "labels") {
      value.require(Kind::object, "an object of fields and their printed names");
      value.allow_only(result_fields());
      for (const auto& [field, texts_of_field] : value.members)
        spec.labels.emplace_back(field, labels_of_field(texts_of_field, field));
    }
    if (key == "references") {
      value.require(Kind::object, "an object of named rows: {\"untrained\": {\"epochs\": 0}}");
      for (const auto& [name, where] : value.members)
        spec.references.push_back({name, conditions(where)});
    }
  }
  return spec;
}

}  // namespace occam
