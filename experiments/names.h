#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/error.h"

namespace occam {

// The words that specs, tables and the database use for an enumeration, in the order of its
// enumerators. Each enumeration that users can name specialises it beside its definition.
template <class Enum>
std::span<const std::string_view> names_of();

template <class Enum>
std::string to_string(Enum value) {
  return std::string(names_of<Enum>()[static_cast<std::size_t>(value)]);
}

template <class Enum>
std::vector<std::string> all_names() {
  const auto names = names_of<Enum>();
  return {names.begin(), names.end()};
}

// Throws UsageError "'moco' is none of: contrastive, rotation".
template <class Enum>
Enum from_name(std::string_view name) {
  const auto names = names_of<Enum>();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  throw UsageError("'" + std::string(name) + "' is none of: " + joined(all_names<Enum>()) +
                   did_you_mean(name, all_names<Enum>()));
}

}  // namespace occam
