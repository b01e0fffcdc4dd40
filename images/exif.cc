#include "images/exif.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace occam {
namespace {

using View = std::span<const std::uint8_t>;

// Numbers of a TIFF block in its byte order; 0 past its end, which no tag or count of use is.
struct Tiff {
  View bytes;
  bool little_endian;
  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at + size > bytes.size()) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | bytes[little_endian ? at + size - 1 - i : at + i];
    return value;
  }
};

bool begins(View bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

int orientation_in(View block) {
  constexpr std::uint32_t kOrientation = 0x0112;
  const Tiff tiff{block, begins(block, "II")};
  const std::size_t directory = tiff.number(4, 4);
  const std::uint32_t entries = tiff.number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (tiff.number(entry, 2) != kOrientation) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int exif_orientation(View jpeg) {
  using namespace std::string_view_literals;
  constexpr std::uint8_t kApp1 = 0xE1, kStartOfScan = 0xDA;
  // Segments before the pixels: 0xFF, kind, two bytes of length, which counts itself.
  std::size_t at = 2;
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xFF && jpeg[at + 1] != kStartOfScan) {
    const std::size_t length = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    const View segment = jpeg.subspan(at + 4).first(
        std::min(jpeg.size() - at - 4, std::max<std::size_t>(length, 2) - 2));
    if (jpeg[at + 1] == kApp1 && begins(segment, "Exif\0\0"sv))
      return orientation_in(segment.subspan(6));
    at += 2 + std::max<std::size_t>(length, 2);
  }
  return 1;
}

Picture upright(const Picture& stored, int orientation) {
  if (orientation == 1) return stored;
  const bool is_transposed = orientation >= 5;
  // Whether rows, columns of what is seen run against those of what is stored.
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Picture seen{stored.width, stored.height, std::vector<std::uint8_t>(stored.rgb.size())};
  if (is_transposed) std::swap(seen.width, seen.height);
  std::uint8_t* to = seen.rgb.data();
  for (int y = 0; y < seen.height; ++y)
    for (int x = 0; x < seen.width; ++x, to += 3) {
      int row = from_below ? seen.height - 1 - y : y;
      int column = from_right ? seen.width - 1 - x : x;
      if (is_transposed) std::swap(row, column);
      std::copy_n(stored.at(row, column), 3, to);
    }
  return seen;
}

}  // namespace occam
