#include "experiments/received_json.h"

#include <cmath>
#include <limits>

#include "experiments/error.h"

namespace occam {

using nlohmann::json;

json parse_received(const std::string& text) {
  constexpr int kDeepest = 100;
  try {
    return json::parse(text, [](int depth, json::parse_event_t, json&) {
      if (depth > kDeepest) throw Error("it is nested too deeply");
      return true;
    });
  } catch (const json::exception& problem) {
    throw Error(problem.what());
  }
}

std::int64_t integer_at(const json& object, const std::string& name,
                        std::optional<std::int64_t> otherwise) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  constexpr double kMostExact = 9007199254740992;  // 2^53: further reals are not every integer
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) {
    if (otherwise) return *otherwise;
    throw Error("it has no " + name);
  }
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > kMost)
    throw Error(name + " " + found->dump() + " is too large");
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (!found->is_number()) throw Error(name + " is a " + found->type_name() + ", not an integer");
  const double value = found->get<double>();
  if (value != std::floor(value) || std::abs(value) > kMostExact)
    throw Error(name + " " + found->dump() + " is not an integer");
  return static_cast<std::int64_t>(value);
}

}  // namespace occam
