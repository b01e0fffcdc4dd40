#include "experiments/received_json.h"

#include <cmath>
#include <limits>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {

using nlohmann::json;

namespace {

// None where there is none.
const json* member_of(const json& object, const std::string& name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nullptr : &*found;
}

const json& existing(const json& object, const std::string& name) {
  if (const json* found = member_of(object, name)) return *found;
  throw Error("it has no " + name);
}

const json& of_kind(const json& value, const std::string& name, bool is_one, const char* wanted) {
  if (is_one) return value;
  throw Error(name + " " + value.dump().substr(0, 80) + " is not " + wanted);
}

}  // namespace

json parse_received(const std::string& text) {
  constexpr int kDeepest = 100;
  try {
    return json::parse(text, [](int depth, json::parse_event_t, json&) {
      if (depth > kDeepest) throw Error("it is nested too deeply");
      return true;
    });
  } catch (const json::exception& problem) {
    throw Error("it is no JSON: " + json_problem(problem));
  }
}

// "[json.exception.parse_error.101] parse error at line 1, …"
std::string json_problem(const json::exception& problem) {
  const std::string text = problem.what();
  return text.substr(text.find("] ") + 2);
}

std::int64_t integer_at(const json& object, const std::string& name,
                        std::optional<std::int64_t> otherwise) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  constexpr double kMostExact = 9007199254740992;  // 2^53: further reals are not every integer
  if (otherwise && !member_of(object, name)) return *otherwise;
  const json& found = existing(object, name);
  if (found.is_number_unsigned() && found.get<std::uint64_t>() > kMost)
    throw Error(name + " " + found.dump() + " is too large");
  if (found.is_number_integer()) return found.get<std::int64_t>();
  of_kind(found, name, found.is_number(), "an integer");
  const double value = found.get<double>();
  if (value != std::floor(value) || std::abs(value) > kMostExact)
    throw Error(name + " " + found.dump() + " is not an integer");
  return static_cast<std::int64_t>(value);
}

double number_at(const json& object, const std::string& name, std::optional<double> otherwise) {
  if (otherwise && !member_of(object, name)) return *otherwise;
  const json& found = existing(object, name);
  return of_kind(found, name, found.is_number(), "a number").get<double>();
}

std::string text_at(const json& object, const std::string& name,
                    const std::optional<std::string>& otherwise) {
  if (otherwise && !member_of(object, name)) return *otherwise;
  const json& found = existing(object, name);
  return of_kind(found, name, found.is_string(), "a text").get<std::string>();
}

bool flag_at(const json& object, const std::string& name, std::optional<bool> otherwise) {
  if (otherwise && !member_of(object, name)) return *otherwise;
  const json& found = existing(object, name);
  return of_kind(found, name, found.is_boolean(), "true or false").get<bool>();
}

const json& list_at(const json& object, const std::string& name) {
  const json& found = existing(object, name);
  return of_kind(found, name, found.is_array(), "a list");
}

const json& object_at(const json& object, const std::string& name) {
  const json& found = existing(object, name);
  return of_kind(found, name, found.is_object(), "an object");
}

std::int64_t count_at(const json& object, const std::string& name, std::int64_t least,
                      std::optional<std::int64_t> otherwise) {
  const std::int64_t count = integer_at(object, name, otherwise);
  if (count >= least) return count;
  throw Error(name + " " + std::to_string(count) + " is below " + std::to_string(least));
}

double amount_at(const json& object, const std::string& name, std::optional<double> otherwise) {
  const double amount = number_at(object, name, otherwise);
  if (amount >= 0) return amount;
  throw Error(name + " " + spelled(amount) + " is below 0");
}

}  // namespace occam
