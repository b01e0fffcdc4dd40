#include "images/resize.h"

#include <algorithm>
#include <cmath>

namespace occam {
namespace {

Picture blank(int width, int height) {
  return {width, height,
          std::vector<std::uint8_t>(3 * static_cast<std::size_t>(width) *
                                    static_cast<std::size_t>(height))};
}

// Which input pixels make an output pixel along one side, and by how much.
struct Share {
  int first = 0;
  std::vector<float> weights;
};

// OpenCV's area table (computeResizeAreaTab): parts of less than 1e-3 pixels are left out.
std::vector<Share> area_shares(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  std::vector<Share> shares(static_cast<std::size_t>(to));
  for (int out = 0; out < to; ++out) {
    const double begin = out * scale, end = begin + scale;
    const double width = std::min(scale, from - begin);
    int first = static_cast<int>(std::ceil(begin));
    int last = static_cast<int>(std::floor(end));
    last = std::min(last, from - 1);
    first = std::min(first, last);
    Share& share = shares[static_cast<std::size_t>(out)];
    share.first = first;
    if (first - begin > 1e-3) {
      share.first = first - 1;
      share.weights.push_back(static_cast<float>((first - begin) / width));
    }
    for (int in = first; in < last; ++in) share.weights.push_back(static_cast<float>(1.0 / width));
    if (end - last > 1e-3)
      share.weights.push_back(
          static_cast<float>(std::min(std::min(end - last, 1.0), width) / width));
  }
  return shares;
}

std::vector<Share> growing_shares(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  std::vector<Share> shares;
  for (int out = 0; out < to; ++out) {
    int first = static_cast<int>(std::floor(out * scale));
    auto weight = static_cast<float>((out + 1) - (first + 1) / scale);
    weight = weight <= 0 ? 0 : weight - std::floor(weight);
    if (first >= from - 1) {
      first = from - 1;
      weight = 0;
    }
    shares.push_back(weight > 0 ? Share{first, {1 - weight, weight}} : Share{first, {1}});
  }
  return shares;
}

// Half to even, as cvRound.
std::uint8_t rounded(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 255.0F));
}

Picture weighted(const Picture& in, const std::vector<Share>& columns,
                 const std::vector<Share>& rows) {
  Picture out = blank(static_cast<int>(columns.size()), static_cast<int>(rows.size()));
  const std::size_t width = 3 * columns.size();
  std::vector<float> line(width), sum(width);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    std::fill(sum.begin(), sum.end(), 0.0F);
    for (std::size_t i = 0; i < rows[y].weights.size(); ++i) {
      const std::uint8_t* from = in.at(rows[y].first + static_cast<int>(i), 0);
      for (std::size_t x = 0; x < columns.size(); ++x)
        for (std::size_t c = 0; c < 3; ++c) {
          float value = 0;
          for (std::size_t j = 0; j < columns[x].weights.size(); ++j)
            value += columns[x].weights[j] *
                     from[3 * (static_cast<std::size_t>(columns[x].first) + j) + c];
          line[3 * x + c] = value;
        }
      for (std::size_t x = 0; x < width; ++x) sum[x] += rows[y].weights[i] * line[x];
    }
    for (std::size_t x = 0; x < width; ++x) out.rgb[y * width + x] = rounded(sum[x]);
  }
  return out;
}

// ---- Pillow (libImaging/Resample.c) ----

constexpr int kPrecisionBits = 32 - 8 - 2;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

struct Taps {
  int first;
  std::vector<int> weights;  // fixed point
};

std::vector<Taps> bicubic_taps(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double support = 2 * stretch;
  std::vector<Taps> all;
  for (int out = 0; out < to; ++out) {
    const double centre = (out + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::lround(centre - support)));
    const int end = std::min(from, static_cast<int>(std::lround(centre + support)));
    std::vector<double> weights;
    double total = 0;
    for (int in = first; in < end; ++in) {
      weights.push_back(bicubic((in - centre + 0.5) / stretch));
      total += weights.back();
    }
    Taps taps{first, {}};
    for (double weight : weights) {
      const double fixed = weight / total * (1 << kPrecisionBits);
      taps.weights.push_back(static_cast<int>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
    all.push_back(std::move(taps));
  }
  return all;
}

std::uint8_t from_fixed(int value) {
  return static_cast<std::uint8_t>(std::clamp(value >> kPrecisionBits, 0, 255));
}

// out = sum of `taps` over the pixels that lie `step` bytes apart.
std::uint8_t tapped(const Taps& taps, const std::uint8_t* line, std::size_t step) {
  int sum = 1 << (kPrecisionBits - 1);
  const std::uint8_t* from = line + static_cast<std::size_t>(taps.first) * step;
  for (std::size_t i = 0; i < taps.weights.size(); ++i) sum += taps.weights[i] * from[i * step];
  return from_fixed(sum);
}

}  // namespace

Picture resize_area(const Picture& picture, int width, int height) {
  if (width == picture.width && height == picture.height) return picture;
  const bool shrinks = width <= picture.width && height <= picture.height;
  const auto shares = [&](int from, int to) {
    return shrinks ? area_shares(from, to) : growing_shares(from, to);
  };
  return weighted(picture, shares(picture.width, width), shares(picture.height, height));
}

Picture resize_bicubic(const Picture& picture, int width, int height) {
  Picture narrow = picture;
  if (width != picture.width) {
    const std::vector<Taps> columns = bicubic_taps(picture.width, width);
    narrow = blank(width, picture.height);
    std::uint8_t* to = narrow.rgb.data();
    for (int y = 0; y < picture.height; ++y)
      for (const Taps& taps : columns)
        for (std::size_t c = 0; c < 3; ++c) *to++ = tapped(taps, picture.at(y, 0) + c, 3);
  }
  if (height == picture.height) return narrow;
  const std::vector<Taps> rows = bicubic_taps(picture.height, height);
  Picture made = blank(width, height);
  std::uint8_t* to = made.rgb.data();
  const std::size_t line = 3 * static_cast<std::size_t>(width);
  for (const Taps& taps : rows)
    for (std::size_t x = 0; x < line; ++x) *to++ = tapped(taps, narrow.rgb.data() + x, line);
  return made;
}

Picture resize_and_centre(const Picture& picture, int side) {
  int width = side, height = side;
  if (picture.height > picture.width)
    height = static_cast<int>(static_cast<double>(side) * picture.height / picture.width);
  else
    width = static_cast<int>(static_cast<double>(side) * picture.width / picture.height);
  const Picture resized = resize_area(picture, width, height);
  return crop(resized, (height - side) / 2, (width - side) / 2, side, side);
}

}  // namespace occam
