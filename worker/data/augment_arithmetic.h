#pragma once

#include <cmath>

#include "worker/random.h"

// The arithmetic of one pixel or one draw, shared by the CPU code and CUDA kernels. Formulas:
// released code's data/augment_ops.py (lines named below) and the TensorFlow operations that it
// calls.

namespace occam {

// Which random number of a view's stream decides what.
enum AugmentationDraw : std::uint32_t {
  draw_crop_side,
  draw_crop_y,
  draw_crop_x,
  draw_flip,
  draw_brightness,
  draw_contrast,
  draw_saturation,
  draw_hue,
  draw_gray,
  draw_blur,
  draw_blur_sigma,
  draw_jitter_order,  // three of them, from here on
  draw_vflip = draw_jitter_order + 3,
  draw_shift_y,
  draw_shift_x,
  kAugmentationDraws,
};

struct Rgb {
  float r, g, b;
};

// The smallest side of a crop of at least this share of an image's side (augment_ops.py:245 casts
// the float32 likewise: 0.29 of 100 is 29; a crop without pixels is ours to prevent).
inline int least_crop_side(double amount, int side) {
  const auto least = static_cast<int>(static_cast<float>(amount * side));
  return least < 1 ? 1 : least;
}

// The furthest that a shift goes in each direction (augment_ops.py:66).
inline int most_shift(int side) { return side / 8; }
// Where a shifted image's pixel lies: beyond an edge it goes on as a mirror image of what lies
// inside of the edge's pixels (tf.pad, REFLECT).
OCCAM_SHARED inline int reflected(int at, int side) {
  if (at < 0) return -at;
  return at < side ? at : 2 * (side - 1) - at;
}

// Where an output pixel's centre falls in a crop that is resized without antialiasing, with
// half-pixel centres: the two neighbours and the weight of the second.
struct Tap {
  int low, high;
  float weight;
};
OCCAM_SHARED inline Tap bilinear_tap(int out, int crop_side, int out_side) {
  const float at = (static_cast<float>(out) + 0.5F) * static_cast<float>(crop_side) /
                       static_cast<float>(out_side) -
                   0.5F;
  const float floor_at = floorf(at);
  const int low = static_cast<int>(floor_at);
  const int last = crop_side - 1;
  return {low < 0 ? 0 : low, low + 1 > last ? last : low + 1, at - floor_at};
}

// Uniform in [-amount, amount).
OCCAM_SHARED inline float symmetric(float uniform, float amount) {
  return (2 * uniform - 1) * amount;
}

// Luma weights of the released gray (augment_ops.py:379-388).
OCCAM_SHARED inline float luma(const Rgb& c) {
  return 0.2989F * c.r + 0.5870F * c.g + 0.1140F * c.b;
}

// Saturation times `factor` in HSV, the saturation clamped to [0, 1] and the value left alone;
// colours outside [0, 1] stay there.
OCCAM_SHARED inline Rgb scale_saturation(const Rgb& c, float factor) {
  const float value = fmaxf(c.r, fmaxf(c.g, c.b));
  const float range = value - fminf(c.r, fminf(c.g, c.b));
  if (!(value > 0) || !(range > 0)) return {value, value, value};
  const float wanted = fminf(1.0F, fmaxf(0.0F, range / value * factor)) * value;
  // Every channel's distance below the value scales as the range does; the hue stays.
  const float ratio = wanted / range;
  return {value - (value - c.r) * ratio, value - (value - c.g) * ratio,
          value - (value - c.b) * ratio};
}

// Hue shifted by `turns` of a full circle, largest and smallest channel kept.
OCCAM_SHARED inline Rgb shift_hue(const Rgb& c, float turns) {
  const float high = fmaxf(c.r, fmaxf(c.g, c.b));
  const float low = fminf(c.r, fminf(c.g, c.b));
  const float range = high - low;
  if (!(range > 0)) return c;
  float hue;  // in sixths of the circle
  if (c.r == high)
    hue = (c.g - c.b) / range;
  else if (c.g == high)
    hue = 2 + (c.b - c.r) / range;
  else
    hue = 4 + (c.r - c.g) / range;
  hue += 6 * turns;
  hue -= 6 * floorf(hue / 6);
  const int sector = static_cast<int>(hue) % 6;
  const float part = hue - floorf(hue);
  const float rising = low + range * part;
  const float falling = high - range * part;
  switch (sector) {
    case 0:
      return {high, rising, low};
    case 1:
      return {falling, high, low};
    case 2:
      return {low, high, rising};
    case 3:
      return {low, falling, high};
    case 4:
      return {rising, low, high};
    default:
      return {high, low, falling};
  }
}

// A quarter-turn counter-clockwise and flips, as where an output pixel comes from.
struct SquareTransform {
  int quarter_turns;  // counter-clockwise, 0…3
  bool hflip;         // before the turn
  bool vflip;
};
OCCAM_SHARED inline void source_of(const SquareTransform& t, int side, int y, int x, int& from_y,
                                   int& from_x) {
  for (int turn = 0; turn < t.quarter_turns; ++turn) {
    // rot90 counter-clockwise: out[y][x] = in[x][side - 1 - y].
    const int row = x;
    x = side - 1 - y;
    y = row;
  }
  from_y = t.vflip ? side - 1 - y : y;
  from_x = t.hflip ? side - 1 - x : x;
}

}  // namespace occam
