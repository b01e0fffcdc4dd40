#include "experiments/listed_values.h"

namespace occam {

using Kind = JsonNode::Kind;

Kind kind_of_values(std::string_view field) {
  return field == "extra" ? Kind::object : Kind::scalar;
}

void require_value(const JsonNode& node, Kind wanted) {
  node.require(wanted, wanted == Kind::scalar ? "a value" : "an object");
}

std::vector<const JsonNode*> listed(const JsonNode& node, Kind wanted) {
  if (node.kind == wanted) return {&node};
  if (node.kind != Kind::array) node.fail("must be a value or a list of values");
  std::vector<const JsonNode*> items;
  for (const JsonNode& item : node.items) {
    require_value(item, wanted);
    items.push_back(&item);
  }
  if (items.empty()) node.fail("is an empty list");
  return items;
}

}  // namespace occam
