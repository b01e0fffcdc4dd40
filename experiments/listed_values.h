#pragma once

#include <string_view>
#include <vector>

#include "experiments/json_document.h"

namespace occam {

// What a spec may write as a field's value: an object for `extra`, a scalar for any other.
JsonNode::Kind kind_of_values(std::string_view field);

// Throws UsageError with file, line and path when the node is no such value.
void require_value(const JsonNode& node, JsonNode::Kind wanted);

// A value or a list of them, as a list. Throws UsageError with file, line and path.
std::vector<const JsonNode*> listed(const JsonNode& node,
                                    JsonNode::Kind wanted = JsonNode::Kind::scalar);

}  // namespace occam
