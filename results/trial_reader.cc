#include "results/trial_reader.h"

namespace occam {
namespace {

using nlohmann::json;

// Behind the value that begins at `at`: at the comma or brace that ends it; npos where none does.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  int depth = 0;
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char one = text[at];
    if (quoted) {
      if (one == '\\') ++at;
      quoted = one != '"';
    } else if (one == '"') {
      quoted = true;
    } else if (one == '{' || one == '[') {
      ++depth;
    } else if ((one == ',' || one == '}') && depth == 0) {
      return at;
    } else if (one == '}' || one == ']') {
      --depth;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool TrialReader::read_changes(std::string_view config) {
  if (parts_.empty() || config.empty()) return false;
  std::size_t at = 1;  // behind the brace
  for (Part& part : parts_) {
    if (config.substr(at, part.text.size()) == part.text) {
      at += part.text.size();
      continue;
    }
    const std::size_t value = at + part.value;
    if (config.substr(at, part.value) != std::string_view(part.text).substr(0, part.value))
      return false;
    const std::size_t end = end_of_value(config, value);
    if (end == std::string_view::npos || config[end] != part.text.back()) return false;
    const json now = json::parse(config.substr(value, end - value), nullptr, false);
    // What applied no more, or does again, is for the whole text to say.
    if (now.is_discarded() || now.is_null() || part.text.compare(part.value, 4, "null") == 0)
      return false;
    // "name":
    set_field(trial_, std::string_view(part.text).substr(1, part.value - 3), now);
    part.text = config.substr(at, end + 1 - at);
    at = end + 1;
  }
  return at == config.size();
}

const Trial& TrialReader::read(std::string_view config) {
  if (read_changes(config)) return trial_;
  trial_ = trial_from_json(json::parse(config));
  parts_.clear();
  for (std::size_t at = 1; at < config.size();) {
    const std::size_t colon = config.find("\":", at);
    const std::size_t end =
        colon == std::string_view::npos ? colon : end_of_value(config, colon + 2);
    if (end == std::string_view::npos || config[at] != '"') {
      parts_.clear();
      break;
    }
    parts_.push_back({std::string(config.substr(at, end + 1 - at)), colon + 2 - at});
    at = end + 1;
  }
  return trial_;
}

}  // namespace occam
