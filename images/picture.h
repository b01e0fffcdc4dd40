#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace occam {

// A decoded image: height x width x 3 bytes, row by row.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
  const std::uint8_t* at(int y, int x) const {
    return rgb.data() + 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                             static_cast<std::size_t>(x));
  }
};

// Whether the name ends as those of images do: .jpg, .jpeg, .png, .npy, in any case.
bool is_image_name(const std::filesystem::path& path);

// JPEG (libjpeg-turbo, accurate DCT; gray or colour, upright as its Exif orientation says), PNG (8
// bits a channel; gray is replicated, alpha dropped) or .npy (uint8, height x width, with or
// without 1 or 3 channels behind, C order). What the file is its first bytes say. Throws Error
// "<path>: why" for a file that is damaged, cut short, or neither.
Picture decode(const std::filesystem::path& path);

// The part of `width` x `height` pixels whose upper left one is (y, x); it lies inside.
Picture crop(const Picture& picture, int y, int x, int height, int width);

}  // namespace occam
