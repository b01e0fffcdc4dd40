#pragma once

#include <gtest/gtest.h>

#include <string>

#include "experiments/spec.h"

namespace occam {

template <class Step>
std::string message_of(Step&& step) {
  try {
    step();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

inline Spec spec(const std::string& text) { return parse_spec(text, "spec.json"); }
inline Expansion expansion(const std::string& text) { return expand(spec(text)); }
inline std::string refusal(const std::string& text) {
  return message_of([&] { expansion(text); });
}

inline Trial trial(const std::string& fields) {
  return canonical(trial_from_json(nlohmann::json::parse(fields)));
}

}  // namespace occam
