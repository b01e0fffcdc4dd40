#include "results/result_field.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "experiments/number.h"

namespace occam {
namespace {

using nlohmann::json;

// Of {"nu":0.1} or "nu=0.1", {} or "defaults"; discarded where it is neither.
json parsed_parameters(std::string_view text) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_discarded()) return parsed;
  if (text == "defaults") return json::object();
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (parsed.is_discarded()) parsed = json::object();
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string value = word.substr(std::min(equals + 1, word.size()));
    double number = 0;
    parsed[word.substr(0, equals)] =
        read_number(value, number) ? json(number) : json::parse(value, nullptr, false);
  }
  return parsed;
}

std::string text_of(const json& value) {
  if (value.is_null()) return std::string(kNoValue);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return spelled(value.get<double>());
  return value.dump();
}

}  // namespace

bool concerns(std::string_view field, Features features) {
  switch (features) {
    case Features::pool:
    case Features::embed:
    case Features::logit:
      return true;
    case Features::pixels:
      return field == "dataset" || field == "source" || field == "class" || field == "class_name" ||
             field == "seed" || field == "train_limit" || field == "validation" || field == "extra";
  }
  throw std::logic_error("unknown features");
}

bool is_of_request(std::string_view field) {
  return field == "features" || field == "classifier" || field == "parameters";
}

std::string value_text(std::string_view field, const Trial& trial, const std::string& variant,
                       const EvaluationRequest& request) {
  if (field == "features") return to_string(request.features);
  if (field == "classifier") return to_string(request.classifier);
  if (field == "parameters") return parameters_text(request);
  if (!concerns(field, request.features)) return std::string(kNoValue);
  if (field == "variant") return variant;
  if (field == "class_name")
    return facts(trial.dataset)
        .classes[static_cast<std::size_t>(class_index(trial.dataset, trial.inlier))];
  return text_of(value_of(trial, field));
}

bool is_number(std::string_view field) {
  const auto& names = field_names();
  return std::find(names.begin(), names.end(), field) != names.end() &&
         value_of(Trial{}, field).is_number();
}

std::string in_words(std::string_view field, const std::string& value) {
  const json parsed = field == "parameters" ? json::parse(value, nullptr, false) : json();
  if (!parsed.is_object()) return value;
  std::vector<std::string> words;
  for (const auto& [name, one] : parsed.items()) words.push_back(name + "=" + one.dump());
  return words.empty() ? "defaults" : joined(words, " ");
}

std::string without_test_limit(const std::string& parameters) {
  json parsed = json::parse(parameters, nullptr, false);
  return parsed.is_object() && parsed.erase("test_limit") > 0 ? parsed.dump() : parameters;
}

bool same_value(std::string_view field, std::string_view value, std::string_view written) {
  if (value == written) return true;
  if (field == "parameters") return parsed_parameters(value) == parsed_parameters(written);
  double a = 0, b = 0;
  return is_number(field) && read_number(value, a) && read_number(written, b) && a == b;
}

void check_result_field(const std::string& field, std::string_view where) {
  const auto& known = result_fields();
  if (std::find(known.begin(), known.end(), field) != known.end()) return;
  const std::string hint = did_you_mean(field, known);
  throw UsageError(std::string(where) + ": '" + field + "' is no field of a result" +
                   (hint.empty() ? "; there are: " + joined(known) : hint));
}

}  // namespace occam
