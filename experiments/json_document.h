#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/names.h"

namespace occam {

struct JsonMember;

// A JSON value that knows where it stood in its file, so that messages can say so.
struct JsonNode {
  enum class Kind { object, array, scalar };
  Kind kind = Kind::scalar;
  nlohmann::json scalar;            // of Kind::scalar: null, boolean, number or string
  std::vector<JsonMember> members;  // in the file's order
  std::vector<JsonNode> items;
  std::string path;  // "grid.loss[1]"; empty at the top
  int line = 0;
  std::shared_ptr<const std::string> file;

  const JsonNode* find(std::string_view key) const;
  // "batch-size.json:4: grid.loss"
  std::string where() const;
  // Throws UsageError "batch-size.json:4: grid.loss: <message>".
  [[noreturn]] void fail(const std::string& message) const;
  void require(Kind wanted, std::string_view what) const;
  const std::string& text(std::string_view what) const;
  // The enumerator of that name; fails with the names that there are.
  template <class Enum>
  Enum named(std::string_view what) const {
    const std::string& name = text(what);
    try {
      return from_name<Enum>(name);
    } catch (const UsageError& problem) {
      fail(problem.what());
    }
  }
  // The value, without where it stood.
  nlohmann::json json() const;
  // Throws for the first member whose key is none of `known`, with "did you mean".
  void allow_only(const std::vector<std::string>& known) const;
};

struct JsonMember {
  std::string key;
  JsonNode value;
};

// JSON with // and /* */ comments. Throws UsageError for bad syntax and repeated keys.
JsonNode parse_document(const std::string& text, const std::string& file);

}  // namespace occam
