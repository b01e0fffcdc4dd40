#include "results/printed_cell.h"

#include <fmt/format.h>

namespace occam {
namespace {

struct Range {
  char32_t first, last;
};
constexpr Range kNoWidth[] = {{0x0300, 0x036f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};
constexpr Range kDoubleWidth[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                  {0xf900, 0xfaff}, {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                  {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};

template <std::size_t count>
bool in(const Range (&ranges)[count], char32_t point) {
  for (const Range& range : ranges)
    if (point >= range.first && point <= range.last) return true;
  return false;
}

}  // namespace

std::string percent(double rate) { return fmt::format("{:.1f}", 100 * rate); }

std::string counts(const Cell& cell) {
  std::string text;
  if (cell.count == cell.expected) {
    text = cell.expected == cell.expected_seeds * cell.expected_classes
               ? fmt::format("{}x{}", cell.expected_seeds, cell.expected_classes)
               : fmt::format("{}", cell.expected);
  } else if (cell.count > 0 && cell.seeds == cell.expected_seeds &&
             cell.count == cell.seeds * cell.classes) {
    text = fmt::format("{}/{} classes", cell.classes, cell.expected_classes);
  } else if (cell.count > 0 && cell.classes == cell.expected_classes &&
             cell.count == cell.seeds * cell.classes) {
    text = fmt::format("{}/{} seeds", cell.seeds, cell.expected_seeds);
  } else {
    text = fmt::format("{}/{}", cell.count, cell.expected);
  }
  if (cell.diverged > 0) text += fmt::format(", {} diverged", cell.diverged);
  if (cell.failed > 0) text += fmt::format(", {} failed", cell.failed);
  return text;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
      point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    width += in(kNoWidth, point) ? 0 : in(kDoubleWidth, point) ? 2 : 1;
    i += length;
  }
  return width;
}

}  // namespace occam
