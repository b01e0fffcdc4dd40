#include "worker/data/augment.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace occam {
namespace {

// An image in work: `planes` of side x side floats; gray images have one until the end.
struct Planes {
  std::vector<float> values;
  int count, side;
  float* plane(int i) { return values.data() + static_cast<std::size_t>(i) * side * side; }
  const float* plane(int i) const {
    return values.data() + static_cast<std::size_t>(i) * side * side;
  }
  int pixels() const { return side * side; }
};

// The four changes of jitter in an order that draws `first` to `first` + 2 decide (Fisher-Yates).
std::array<int, 4> shuffled_order(const Draws& draws, std::uint32_t first) {
  std::array<int, 4> order{0, 1, 2, 3};
  for (std::uint32_t i = 3; i > 0; --i)
    std::swap(order[i], order[draws.below(first + i - 1, i + 1)]);
  return order;
}

void crop_and_resize(const Planes& in, int top, int left, int crop_side, Planes& out) {
  const int side = in.side;
  std::vector<Tap> taps(static_cast<std::size_t>(side));
  for (int i = 0; i < side; ++i) taps[i] = bilinear_tap(i, crop_side, side);
  for (int p = 0; p < in.count; ++p) {
    const float* from = in.plane(p) + top * side + left;
    float* to = out.plane(p);
    for (int y = 0; y < side; ++y) {
      const float* upper = from + taps[y].low * side;
      const float* lower = from + taps[y].high * side;
      for (int x = 0; x < side; ++x) {
        const Tap& tap = taps[x];
        const float above = upper[tap.low] + (upper[tap.high] - upper[tap.low]) * tap.weight;
        const float below = lower[tap.low] + (lower[tap.high] - lower[tap.low]) * tap.weight;
        *to++ = above + (below - above) * taps[y].weight;
      }
    }
  }
}

void flip(Planes& image) {
  for (int row = 0; row < image.count * image.side; ++row) {
    float* first = image.values.data() + static_cast<std::size_t>(row) * image.side;
    std::reverse(first, first + image.side);
  }
}

void flip_upside_down(Planes& image) {
  for (int p = 0; p < image.count; ++p)
    for (int y = 0; y < image.side / 2; ++y)
      std::swap_ranges(image.plane(p) + y * image.side, image.plane(p) + (y + 1) * image.side,
                       image.plane(p) + (image.side - 1 - y) * image.side);
}

// Each pixel is the one that place(y, x, from_y, from_x) says.
template <class Place>
void take_from(Planes& image, Place place) {
  const Planes was = image;
  for (int p = 0; p < image.count; ++p)
    for (int y = 0; y < image.side; ++y)
      for (int x = 0; x < image.side; ++x) {
        int from_y, from_x;
        place(y, x, from_y, from_x);
        image.plane(p)[y * image.side + x] = was.plane(p)[from_y * image.side + from_x];
      }
}

void shift(Planes& image, int down, int right) {
  take_from(image, [&](int y, int x, int& from_y, int& from_x) {
    from_y = reflected(y + down, image.side);
    from_x = reflected(x + right, image.side);
  });
}

void rotate(Planes& image, int quarters) {
  const SquareTransform turn{quarters, false, false};
  take_from(image, [&](int y, int x, int& from_y, int& from_x) {
    source_of(turn, image.side, y, x, from_y, from_x);
  });
}

void brighten(Planes& image, float delta) {
  for (float& value : image.values) value += delta;
}

void stretch_contrast(Planes& image, float factor) {
  for (int p = 0; p < image.count; ++p) {
    float* plane = image.plane(p);
    float sum = 0;
    for (int i = 0; i < image.pixels(); ++i) sum += plane[i];
    const float mean = sum / static_cast<float>(image.pixels());
    for (int i = 0; i < image.pixels(); ++i) plane[i] = (plane[i] - mean) * factor + mean;
  }
}

template <class Change>
void change_colours(Planes& image, Change change) {
  if (image.count == 1) return;  // no colour: nothing to saturate or turn
  for (int i = 0; i < image.pixels(); ++i) {
    const Rgb made = change(Rgb{image.plane(0)[i], image.plane(1)[i], image.plane(2)[i]});
    image.plane(0)[i] = made.r;
    image.plane(1)[i] = made.g;
    image.plane(2)[i] = made.b;
  }
}

// Also on gray images, since the weights add up to 0.9999.
void to_gray(Planes& image) {
  const int last = image.count - 1;
  for (int i = 0; i < image.pixels(); ++i) {
    const float gray = luma(Rgb{image.plane(0)[i], image.plane(last / 2)[i], image.plane(last)[i]});
    for (int p = 0; p < image.count; ++p) image.plane(p)[i] = gray;
  }
}

// Separable Gaussian, zeros outside, radius side / 20 as SimCLR's kernel of side / 10
// (simclr/data_util.py:325-411).
void blur(Planes& image, float sigma) {
  const int radius = image.side / 10 / 2;
  const int side = image.side;
  std::vector<float> kernel;
  float total = 0;
  for (int i = -radius; i <= radius; ++i) {
    kernel.push_back(std::exp(-static_cast<float>(i * i) / (2 * sigma * sigma)));
    total += kernel.back();
  }
  for (float& weight : kernel) weight /= total;
  std::vector<float> line(static_cast<std::size_t>(side));
  const auto pass = [&](float* first, int stride) {
    for (int i = 0; i < side; ++i) {
      line[i] = 0;
      for (int k = -radius; k <= radius; ++k)
        if (i + k >= 0 && i + k < side) line[i] += kernel[k + radius] * first[(i + k) * stride];
    }
    for (int i = 0; i < side; ++i) first[i * stride] = line[i];
  };
  for (int p = 0; p < image.count; ++p)
    for (int i = 0; i < side; ++i) {
      pass(image.plane(p) + i * side, 1);
    }
  for (int p = 0; p < image.count; ++p)
    for (int i = 0; i < side; ++i) pass(image.plane(p) + i, side);
}

void jitter(Planes& image, const AugmentationOperation& amounts, const std::array<int, 4>& order,
            const Draws& draws) {
  for (int change : order) switch (change) {
      case 0:
        if (amounts.brightness > 0)
          brighten(image, symmetric(draws.uniform(draw_brightness),
                                    static_cast<float>(amounts.brightness)));
        break;
      case 1:
        if (amounts.contrast > 0)
          stretch_contrast(image, 1 + symmetric(draws.uniform(draw_contrast),
                                                static_cast<float>(amounts.contrast)));
        break;
      case 2:
        if (amounts.saturation > 0) {
          const float factor =
              1 + symmetric(draws.uniform(draw_saturation), static_cast<float>(amounts.saturation));
          change_colours(image, [&](const Rgb& c) { return scale_saturation(c, factor); });
        }
        break;
      case 3:
        if (amounts.hue > 0) {
          const float turns = symmetric(draws.uniform(draw_hue), static_cast<float>(amounts.hue));
          change_colours(image, [&](const Rgb& c) { return shift_hue(c, turns); });
        }
        break;
    }
}

}  // namespace

std::vector<SquareTransform> distribution_transforms(DistributionAugmentation augmentation) {
  switch (augmentation) {
    case DistributionAugmentation::none:
      return {{0, false, false}};
    case DistributionAugmentation::rotation:
      return {{0, false, false}, {1, false, false}, {2, false, false}, {3, false, false}};
    case DistributionAugmentation::hflip:
      return {{0, false, false}, {0, true, false}};
    case DistributionAugmentation::vflip:
      return {{0, false, false}, {0, false, true}};
    case DistributionAugmentation::k2:
    case DistributionAugmentation::k3:
    case DistributionAugmentation::k4:
    case DistributionAugmentation::k5:
    case DistributionAugmentation::k6:
    case DistributionAugmentation::k7:
    case DistributionAugmentation::k8: {
      // x, flip(x), r90, flip(r90), …; a flip after a turn is a turn the other way after a flip.
      std::vector<SquareTransform> first;
      for (int i = 0; i < copies(augmentation); ++i) {
        const int turns = i / 2;
        first.push_back(i % 2 == 0 ? SquareTransform{turns, false, false}
                                   : SquareTransform{(4 - turns) % 4, true, false});
      }
      return first;
    }
  }
  throw std::logic_error("unknown distribution augmentation");
}

JitterOrders jitter_orders(std::int64_t seed) {
  JitterOrders orders;
  for (std::uint32_t view = 0; view < orders.size(); ++view) {
    const Draws draws(seed, Purpose::jitter_order, view);
    orders[view] = shuffled_order(draws, 1);
  }
  return orders;
}

Augmenter::Augmenter(const Trial& trial, torch::Tensor images)
    : images_(images.contiguous()),
      seed_(trial.seed),
      rows_(images.size(0) * copies(trial.distribution_augmentation)),
      channels_(images.size(1)),
      side_(static_cast<int>(images.size(2))),
      operations_(trial.augmentations.operations()),
      transforms_(distribution_transforms(trial.distribution_augmentation)),
      jitter_orders_(jitter_orders(trial.seed)) {}

torch::Tensor Augmenter::view(const std::int64_t* rows, std::int64_t count, std::int64_t epoch,
                              std::uint32_t view, int turns) const {
  torch::Tensor made = torch::empty({count, 3, side_, side_}, torch::kFloat32);
  float* out = made.data_ptr<float>();
  for (std::int64_t i = 0; i < count; ++i)
    augment(rows[i], epoch, view, turns, out + i * 3 * side_ * side_);
  return made;
}

void Augmenter::augment(std::int64_t row, std::int64_t epoch, std::uint32_t view, int turns,
                        float* out) const {
  const std::int64_t images = images_.size(0);
  const SquareTransform& transform = transforms_[row / images];
  const auto* bytes =
      images_.const_data_ptr<std::uint8_t>() + (row % images) * channels_ * side_ * side_;
  const std::size_t floats = static_cast<std::size_t>(channels_) * side_ * side_;
  Planes image{std::vector<float>(floats), static_cast<int>(channels_), side_};
  for (int p = 0; p < image.count; ++p)
    for (int y = 0; y < side_; ++y)
      for (int x = 0; x < side_; ++x) {
        int from_y, from_x;
        source_of(transform, side_, y, x, from_y, from_x);
        image.plane(p)[y * side_ + x] =
            static_cast<float>(bytes[(p * side_ + from_y) * side_ + from_x]) / 255.0F;
      }

  const Draws draws(seed_, Purpose::augmentation, static_cast<std::uint32_t>(epoch),
                    static_cast<std::uint32_t>(row), view);
  for (const AugmentationOperation& operation : operations_) switch (operation.kind) {
      case AugmentationOperation::Kind::crop: {
        const int least = least_crop_side(operation.amount, side_);
        const int crop_side =
            least + static_cast<int>(draws.below(draw_crop_side, side_ - least + 1));
        const int top = static_cast<int>(draws.below(draw_crop_y, side_ - crop_side + 1));
        const int left = static_cast<int>(draws.below(draw_crop_x, side_ - crop_side + 1));
        Planes cropped{std::vector<float>(floats), image.count, side_};
        crop_and_resize(image, top, left, crop_side, cropped);
        image = std::move(cropped);
        break;
      }
      case AugmentationOperation::Kind::hflip:
        if (draws.uniform(draw_flip) < 0.5F) flip(image);
        break;
      case AugmentationOperation::Kind::jitter:
        jitter(image, operation,
               operation.order_per_image ? shuffled_order(draws, draw_jitter_order)
                                         : jitter_orders_[view % jitter_orders_.size()],
               draws);
        break;
      case AugmentationOperation::Kind::gray:
        if (draws.uniform(draw_gray) < static_cast<float>(operation.amount)) to_gray(image);
        break;
      case AugmentationOperation::Kind::blur:
        if (draws.uniform(draw_blur) < static_cast<float>(operation.amount))
          blur(image, 0.1F + 1.9F * draws.uniform(draw_blur_sigma));
        break;
      case AugmentationOperation::Kind::vflip:
        if (draws.uniform(draw_vflip) < 0.5F) flip_upside_down(image);
        break;
      case AugmentationOperation::Kind::shift: {
        const int most = most_shift(side_);
        const auto by = [&](std::uint32_t draw) {
          return static_cast<int>(draws.below(draw, 2 * most + 1)) - most;
        };
        shift(image, by(draw_shift_y), by(draw_shift_x));
        break;
      }
      case AugmentationOperation::Kind::rotate:
        rotate(image, static_cast<int>(operation.amount));
        break;
    }

  if (turns != 0) rotate(image, turns);
  for (int p = 0; p < 3; ++p) {
    const float* plane = image.plane(image.count == 1 ? 0 : p);
    std::copy(plane, plane + image.pixels(), out + p * image.pixels());
  }
}

}  // namespace occam
