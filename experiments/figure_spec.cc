#include "experiments/figure_spec.h"

#include <algorithm>
#include <sstream>

#include "experiments/json_document.h"
#include "experiments/spec.h"

namespace occam {
namespace {

using Kind = JsonNode::Kind;

std::string result_field(const JsonNode& node, const std::string& field) {
  const auto& known = result_fields();
  if (std::find(known.begin(), known.end(), field) == known.end())
    node.fail("'" + field + "' is no field of a result" + did_you_mean(field, known));
  return field;
}

std::vector<std::string> fields(const JsonNode& node) {
  std::vector<std::string> all;
  for (const JsonNode& item : node.items)
    all.push_back(result_field(item, item.text("a field's name")));
  if (node.kind == Kind::array) return all;
  std::stringstream words(node.text("a field's name, or several: \"loss,classifier\""));
  for (std::string field; std::getline(words, field, ',');)
    all.push_back(result_field(node, field));
  return all;
}

std::vector<std::string> values(const JsonNode& node) {
  std::vector<std::string> all;
  const auto add = [&](const JsonNode& value) {
    value.require(Kind::scalar, "a value");
    all.push_back(value.scalar.is_string() ? value.scalar.get<std::string>() : value.scalar.dump());
  };
  if (node.kind == Kind::array)
    for (const JsonNode& item : node.items) add(item);
  else
    add(node);
  if (all.empty()) node.fail("is an empty list");
  return all;
}

}  // namespace

FigureSpec figure_spec(const JsonNode& node) {
  node.require(Kind::object, "an object: {\"x\": \"batch_size\", \"by\": \"loss,classifier\"}");
  node.allow_only({"kind", "x", "y", "by", "where", "caption"});
  FigureSpec spec;
  if (const JsonNode* kind = node.find("kind")) {
    const std::vector<std::string> known{"lines", "bars", "heat", "curves"};
    spec.kind = kind->text("lines, bars, heat or curves");
    if (std::find(known.begin(), known.end(), spec.kind) == known.end())
      kind->fail("'" + spec.kind + "' is none of: " + joined(known) +
                 did_you_mean(spec.kind, known));
  }
  const bool curves = spec.kind == "curves";
  if (const JsonNode* x = node.find("x")) {
    if (curves) x->fail("curves have the epochs there; leave it out");
    spec.x = result_field(*x, x->text("a field's name"));
  } else if (!curves) {
    node.fail("needs an axis: {\"x\": \"batch_size\", …}");
  }
  // Of curves y is no field of a result, but what training tells of an epoch.
  if (const JsonNode* y = node.find("y"))
    spec.y = curves ? y->text("train_loss, accuracy or learning_rate")
                    : result_field(*y, y->text("a field's name"));
  if (const JsonNode* by = node.find("by")) spec.by = fields(*by);
  if (const JsonNode* where = node.find("where")) {
    where->require(Kind::object, "an object of fields and values");
    where->allow_only(result_fields());
    for (const auto& [field, accepted] : where->members)
      spec.where.emplace_back(field, values(accepted));
  }
  if (const JsonNode* caption = node.find("caption")) spec.caption = caption->text("a text");
  return spec;
}

}  // namespace occam
