#pragma once

#include "worker/data/images.h"

namespace occam {

// A data set whose answer is known: every image holds a few copies of one glyph without any
// symmetry, of random size, place, brightness and polarity, on a noisy background; all glyphs of an
// image stand the same way up, and only that, 0, 90, 180 or 270 degrees, is its class. A
// representation that knows orientation tells inliers from outliers, one that only knows textures
// does not.
ImageData synthetic_images();

}  // namespace occam
