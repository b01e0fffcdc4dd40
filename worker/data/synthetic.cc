#include "worker/data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "images/image_set.h"
#include "worker/data/augment_arithmetic.h"

namespace occam {
namespace {

constexpr int kSide = 32;

// An "F", which no rotation and no reflection maps to itself.
constexpr std::array<std::string_view, 7> kGlyph{"#####", "#....", "#....", "####.",
                                                 "#....", "#....", "#...."};

// Whether glyph space (u right, v down, each in [0, 1]) is inked.
bool inked(float u, float v) {
  const int row = std::min(6, static_cast<int>(v * 7));
  const int column = std::min(4, static_cast<int>(u * 5));
  return kGlyph[row][column] == '#';
}

using Canvas = std::array<float, kSide * kSide>;

// Pixels are sampled at their centres and places are symmetric about the image's, so that nothing
// but the glyph itself tells which way is up.
void draw_glyph(Canvas& canvas, const Draws& draws, std::uint32_t first) {
  const float size = 9 + 7 * draws.uniform(first);
  const float x0 = (kSide - size) * draws.uniform(first + 1);
  const float y0 = (kSide - size) * draws.uniform(first + 2);
  const float strength = 0.25F + 0.25F * draws.uniform(first + 3);
  const float polarity = draws.uniform(first + 4) < 0.5F ? -1.0F : 1.0F;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const float u = (static_cast<float>(x) + 0.5F - x0) / size;
      const float v = (static_cast<float>(y) + 0.5F - y0) / size;
      if (u >= 0 && u < 1 && v >= 0 && v < 1 && inked(u, v))
        canvas[y * kSide + x] += polarity * strength;
    }
}

Canvas draw_upright(const Draws& draws) {
  Canvas canvas{};
  const float background = 0.35F + 0.3F * draws.uniform(0);
  const float noise = 0.15F * draws.uniform(1);
  for (int i = 0; i < kSide * kSide; ++i)
    canvas[i] = background + noise * (2 * draws.uniform(64 + i) - 1);
  const std::uint32_t glyphs = 1 + draws.below(2, 3);
  for (std::uint32_t glyph = 0; glyph < glyphs; ++glyph) draw_glyph(canvas, draws, 4 + 8 * glyph);
  return canvas;
}

LabelledImages draw(std::int64_t rows, std::uint32_t split, std::int64_t classes) {
  LabelledImages made{torch::empty({rows, 1, kSide, kSide}, torch::kUInt8), {}};
  auto* out = made.images.data_ptr<std::uint8_t>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t label = row % classes;
    made.labels.push_back(label);
    const Canvas upright =
        draw_upright(Draws(0, Purpose::synthetic, split, static_cast<std::uint32_t>(row)));
    const SquareTransform turn{static_cast<int>(label), false, false};
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) {
        int from_y, from_x;
        source_of(turn, kSide, y, x, from_y, from_x);
        const float value = std::clamp(upright[from_y * kSide + from_x], 0.0F, 1.0F);
        *out++ = static_cast<std::uint8_t>(std::lround(255 * value));
      }
  }
  return made;
}

// The same bytes, for as long as the tensor lives.
ImageSet as_set(const LabelledImages& part) {
  const torch::Tensor& images = part.images;
  return {images.size(0),
          images.size(1),
          images.size(2),
          {std::shared_ptr<void>(), images.const_data_ptr<std::uint8_t>()},
          part.labels};
}

}  // namespace

ImageData synthetic_images() {
  const DatasetFacts& known = facts(Dataset::synthetic);
  const auto classes = static_cast<std::int64_t>(known.classes.size());
  ImageData made{draw(known.train_rows_per_class * classes, 0, classes),
                 draw(known.test_rows, 1, classes), ""};
  made.digest = digest_of(as_set(made.train), as_set(made.test));
  return made;
}

}  // namespace occam
