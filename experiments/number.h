#pragma once

#include <charconv>
#include <string>
#include <string_view>

namespace occam {

// The shortest text that reads back as the same number: 0.4, 3e-04, 32.
inline std::string shortest(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

// True when all of `text` is one number ("12", ".4", "3e-4"), which is then in `value`.
template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace occam
