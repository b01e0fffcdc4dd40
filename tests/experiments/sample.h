#pragma once

#include <gtest/gtest.h>

#include <string>

#include "experiments/spec.h"
#include "tests/message_of.h"

namespace occam {

inline Spec parsed(const std::string& text) { return parse_spec(text, "spec.json"); }
inline Expansion expansion(const std::string& text) { return expand(parsed(text)); }
inline std::string refusal(const std::string& text) {
  return message_of([&] { expansion(text); });
}

inline Trial trial(const std::string& fields) {
  return canonical(trial_from_json(nlohmann::json::parse(fields)));
}

}  // namespace occam
