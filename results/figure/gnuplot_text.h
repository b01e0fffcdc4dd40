#pragma once

#include <string>
#include <string_view>

namespace occam {

// A text as a string of gnuplot's, in which nothing is a command, a substitution or mark-up: with
// `noenhanced` only the backquote would be one, which becomes an apostrophe.
inline std::string plot_text(std::string_view text) {
  std::string literal = "\"";
  for (const char one : text) {
    const auto byte = static_cast<unsigned char>(one);
    if (one == '\n') {
      literal += "\\n";
    } else if (byte < 32 || byte == 127) {
      literal += ' ';
    } else if (one == '`') {
      literal += '\'';
    } else {
      if (one == '"' || one == '\\') literal += '\\';
      literal += one;
    }
  }
  return literal + "\"";
}

// The same for the label of a tic, which is a number's format as well.
inline std::string plot_tic(std::string_view text) {
  std::string doubled;
  for (const char one : text) doubled += one == '%' ? "%%" : std::string(1, one);
  return plot_text(doubled);
}

}  // namespace occam
