#pragma once

#include <cstdint>
#include <span>

#include "images/picture.h"

namespace occam {

// The orientation (1 to 8) that the Exif part of a JPEG's bytes gives, 1 where it gives none that
// is valid (Exif 2.3, tag 0x0112).
int exif_orientation(std::span<const std::uint8_t> jpeg);

// The picture as it is meant to be seen, from pixels stored in such an orientation.
Picture upright(const Picture& stored, int orientation);

}  // namespace occam
