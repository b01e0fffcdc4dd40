#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace occam {

// The shortest text that reads back as the same number: 0.4, 3e-04, 32. Ids and keys of the
// database are made of it, so it never changes.
inline std::string shortest(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

// The same as users write it: 3e-4.
inline std::string spelled(double value) {
  std::string text = shortest(value);
  const std::size_t exponent = text.find('e');
  // A sign, and at least two digits.
  if (exponent != std::string::npos && text[exponent + 2] == '0') text.erase(exponent + 2, 1);
  return text;
}

inline std::string spelled(std::int64_t value) { return std::to_string(value); }

// 16 hex digits.
inline std::string hex(std::uint64_t value) {
  std::string text(16, '0');
  for (int digit = 0; digit < 16; ++digit)
    text[15 - digit] = "0123456789abcdef"[(value >> (4 * digit)) & 15];
  return text;
}

// True when all of `text` is one number ("12", ".4", "3e-4"), which is then in `value`.
template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace occam
