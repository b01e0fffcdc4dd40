#include "results/report/html.h"

namespace occam {
namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63];
  }
  return text;
}

}  // namespace

std::string html(std::string_view text) {
  std::string shown;
  for (const char one : text) {
    switch (one) {
      case '&':
        shown += "&amp;";
        break;
      case '<':
        shown += "&lt;";
        break;
      case '>':
        shown += "&gt;";
        break;
      case '"':
        shown += "&quot;";
        break;
      default:
        shown += one;
    }
  }
  return shown;
}

std::string script_json(const nlohmann::json& value) {
  std::string text;
  for (const char one : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    text += one == '<' ? "\\u003c" : std::string(1, one);
  return text;
}

std::string image(std::string_view svg, std::string_view description) {
  return "<img src=\"data:image/svg+xml;base64," + base64(svg) + "\" alt=\"" + html(description) +
         "\">";
}

}  // namespace occam
