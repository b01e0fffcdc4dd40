#include "worker/data/augment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/worker/sample.h"

namespace occam {
namespace {

using nlohmann::json;

Trial trial(const std::string& augmentations,
            DistributionAugmentation copies = DistributionAugmentation::none,
            std::int64_t seed = 1) {
  Trial one;
  one.dataset = Dataset::synthetic;
  one.augmentations = AugmentationSet(augmentations);
  one.distribution_augmentation = copies;
  one.seed = seed;
  return one;
}

torch::Tensor view_of(const Augmenter& augmenter, std::int64_t row, std::int64_t epoch = 0,
                      std::uint32_t view = 0, int turns = 0) {
  return augmenter.view(&row, 1, epoch, view, turns)[0];
}

// As augmentation_oracle.py's source_image.
torch::Tensor oracle_images(std::int64_t count, std::int64_t channels, std::int64_t side) {
  torch::Tensor images = at::empty({count, channels, side, side}, torch::kUInt8);
  auto* out = images.data_ptr<std::uint8_t>();
  for (std::int64_t n = 0; n < count; ++n)
    for (std::int64_t p = 0; p < channels; ++p)
      for (std::int64_t y = 0; y < side; ++y)
        for (std::int64_t x = 0; x < side; ++x)
          *out++ = static_cast<std::uint8_t>(37 * p * p + 91 * x * y + 13 * x + 7 * y * y +
                                             53 * p * x + 29 * n + 11 * p * y);
  return images;
}

// An image whose pixel (y, x) is value(y, x) in all channels.
torch::Tensor image_of(std::int64_t side, const std::function<int(int, int)>& value,
                       std::int64_t channels = 1) {
  torch::Tensor image = at::empty({1, channels, side, side}, torch::kUInt8);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) image.select(2, y).select(2, x).fill_(value(y, x));
  return image;
}

TEST(Augmenter, AgreesWithTheNumpyOracleOnEveryOperation) {
  std::ifstream file(OCCAM_SOURCE_DIR "/tests/golden/augmentations.json");
  const json cases = json::parse(file);
  ASSERT_GT(cases.size(), 50);
  for (const json& wanted : cases) {
    const std::int64_t channels = wanted.at("channels"), side = wanted.at("side");
    Trial one = trial(wanted.at("augmentations"), DistributionAugmentation::none,
                      wanted.at("seed").get<std::int64_t>());
    set_field(one, "distribution_augmentation", wanted.at("distribution_augmentation"));
    const Augmenter augmenter(one, oracle_images(3, channels, side));
    const torch::Tensor found = view_of(augmenter, wanted.at("row"), wanted.at("epoch"),
                                        wanted.at("view"), wanted.at("turns").get<int>())
                                    .flatten();
    const std::vector<double> pixels = wanted.at("pixels");
    const torch::Tensor expected = at::tensor(pixels, torch::kFloat64);
    ASSERT_EQ(found.numel(), expected.numel());
    json name = wanted;
    name.erase("pixels");
    EXPECT_LT((found.to(torch::kFloat64) - expected).abs().max().item<double>(), 1e-5) << name;
  }
}

TEST(Augmenter, OfGrayImagesGivesWhatItGivesOfThreeEqualChannels) {
  const torch::Tensor gray = byte_images(4, 1, 20);
  const torch::Tensor colour = gray.expand({4, 3, 20, 20}).contiguous();
  const Trial all = trial("cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.5+blur0.5",
                          DistributionAugmentation::k8);
  const Augmenter of_gray(all, gray), of_colour(all, colour);
  for (std::int64_t row = 0; row < 32; ++row) {
    const torch::Tensor a = view_of(of_gray, row, 3, 1, 1), b = view_of(of_colour, row, 3, 1, 1);
    EXPECT_LT((a - b).abs().max().item<float>(), 1e-6) << row;
  }
}

TEST(Augmenter, ChangesNothingWithoutOperations) {
  const torch::Tensor images = byte_images(3, 3, 8);
  const Augmenter augmenter(trial("none"), images);
  for (std::int64_t row = 0; row < 3; ++row)
    EXPECT_TRUE(same_bits(view_of(augmenter, row), images[row].to(torch::kFloat32) / 255));
}

TEST(Augmenter, IsAFunctionOfSeedEpochRowAndView) {
  const torch::Tensor images = byte_images(1, 3, 16).expand({2, 3, 16, 16}).contiguous();
  const std::string released = AugmentationSet().text();
  const Augmenter augmenter(trial(released), images);
  const torch::Tensor one = view_of(augmenter, 0, 4, 0);
  EXPECT_TRUE(same_bits(one, view_of(Augmenter(trial(released), images), 0, 4, 0)));
  EXPECT_FALSE(same_bits(one, view_of(augmenter, 0, 4, 1))) << "the two views of a row differ";
  EXPECT_FALSE(same_bits(one, view_of(augmenter, 0, 5, 0))) << "so do epochs";
  EXPECT_FALSE(same_bits(one, view_of(augmenter, 1, 4, 0))) << "and rows";
  EXPECT_FALSE(same_bits(
      one, view_of(Augmenter(trial(released, DistributionAugmentation::none, 2), images), 0, 4)));
}

TEST(Augmenter, GivesABatchTheViewsOfItsRows) {
  const Augmenter augmenter(trial(AugmentationSet().text()), byte_images(5, 1, 8));
  const std::int64_t rows[] = {4, 0, 3};
  const torch::Tensor batch = augmenter.view(rows, 3, 2, 1, 3);
  EXPECT_EQ(batch.sizes(), (std::vector<std::int64_t>{3, 3, 8, 8}));
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(same_bits(batch[i], view_of(augmenter, rows[i], 2, 1, 3)));
}

// Rotation prediction's copies are turned after everything else, counter-clockwise.
TEST(Augmenter, TurnsTheFinishedView) {
  const Augmenter augmenter(trial(AugmentationSet().text()), byte_images(1, 3, 12));
  const torch::Tensor upright = view_of(augmenter, 0, 1, 2);
  for (int turns = 1; turns < 4; ++turns)
    EXPECT_TRUE(same_bits(view_of(augmenter, 0, 1, 2, turns), at::rot90(upright, turns, {1, 2})));
}

TEST(Augmenter, CountsTheCopiesOfDistributionAugmentationAsRows) {
  const torch::Tensor images = byte_images(6, 1, 4);
  EXPECT_EQ(Augmenter(trial("none"), images).rows(), 6);
  EXPECT_EQ(Augmenter(trial("none", DistributionAugmentation::rotation), images).rows(), 24);
  EXPECT_EQ(Augmenter(trial("none", DistributionAugmentation::vflip), images).rows(), 12);
  EXPECT_EQ(Augmenter(trial("none", DistributionAugmentation::k7), images).rows(), 42);
}

TEST(DistributionTransforms, OfKAreTheFirstKFlipsOfTheRotations) {
  const torch::Tensor images = byte_images(2, 3, 6);
  const torch::Tensor image = images[1].to(torch::kFloat32) / 255;
  std::vector<torch::Tensor> eight;
  for (int turns = 0; turns < 4; ++turns) {
    eight.push_back(at::rot90(image, turns, {1, 2}));
    eight.push_back(eight.back().flip(2));
  }
  using enum DistributionAugmentation;
  std::int64_t k = 1;
  for (const DistributionAugmentation first : {none, k2, k3, k4, k5, k6, k7, k8}) {
    const Augmenter augmenter(trial("none", first), images);
    ASSERT_EQ(augmenter.rows(), 2 * k);
    for (std::int64_t copy = 0; copy < k; ++copy)
      EXPECT_TRUE(same_bits(view_of(augmenter, 2 * copy + 1), eight[copy])) << k << " " << copy;
    ++k;
  }
}

TEST(DistributionTransforms, OfRotationAndFlipsAreTheirCopiesOfTheWholeSet) {
  const torch::Tensor images = byte_images(2, 1, 6);
  const torch::Tensor unit = (images.to(torch::kFloat32) / 255).expand({2, 3, 6, 6});
  using enum DistributionAugmentation;
  const Augmenter turned(trial("none", rotation), images);
  for (std::int64_t row = 0; row < 8; ++row)
    EXPECT_TRUE(same_bits(view_of(turned, row), at::rot90(unit[row % 2], row / 2, {1, 2})));
  EXPECT_TRUE(same_bits(view_of(Augmenter(trial("none", hflip), images), 3), unit[1].flip(2)));
  EXPECT_TRUE(same_bits(view_of(Augmenter(trial("none", vflip), images), 3), unit[1].flip(1)));
}

double chi_square(const std::map<int, int>& seen, int draws, int bins) {
  const double expected = static_cast<double>(draws) / bins;
  double sum = 0;
  for (const auto& [value, count] : seen) sum += (count - expected) * (count - expected) / expected;
  return sum + expected * (bins - static_cast<int>(seen.size()));
}

// A ramp tells where a crop lies: neighbouring output pixels differ by side / 32 of the ramp's
// step.
TEST(Crop, TakesEverySideFromHalfToAllAndEveryPlaceEquallyOften) {
  constexpr int draws = 6800, side = 32;
  const torch::Tensor ramps = at::cat({image_of(side, [](int, int x) { return 8 * x; }),
                                       image_of(side, [](int y, int) { return 8 * y; })});
  const Augmenter of_x(trial("cnr0.5"), ramps.narrow(0, 0, 1));
  const Augmenter of_y(trial("cnr0.5"), ramps.narrow(0, 1, 1));
  std::map<int, int> sides, lefts, tops;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor across = view_of(of_x, 0, epoch) * (255.0F / 8);
    const torch::Tensor down = view_of(of_y, 0, epoch) * (255.0F / 8);
    const auto at_x = [&](int x) { return across.data_ptr<float>()[16 * side + x]; };
    const auto at_y = [&](int y) { return down.data_ptr<float>()[y * side + 16]; };
    const double step = (at_x(24) - at_x(8)) / 16.0;
    const int crop_side = static_cast<int>(std::lround(step * side));
    ASSERT_NEAR((at_y(24) - at_y(8)) / 16.0, step, 1e-4) << "crops are square";
    // Output centre 8 lies at (8.5 * side / 32 - 0.5) in the crop.
    const double inside = 8.5 * crop_side / side - 0.5;
    const double left = at_x(8) - inside, top = at_y(8) - inside;
    ASSERT_NEAR(left, std::round(left), 1e-3);
    ASSERT_GE(std::lround(left), 0);
    ASSERT_LE(std::lround(left) + crop_side, side);
    ASSERT_LE(std::lround(top) + crop_side, side);
    ++sides[crop_side];
    if (crop_side == 16) {
      ++lefts[static_cast<int>(std::lround(left))];
      ++tops[static_cast<int>(std::lround(top))];
    }
  }
  EXPECT_EQ(sides.begin()->first, 16);
  EXPECT_EQ(sides.rbegin()->first, 32);
  EXPECT_LT(chi_square(sides, draws, 17), 39.25);  // p = 0.001, 16 degrees of freedom
  EXPECT_LT(chi_square(lefts, sides[16], 17), 39.25);
  EXPECT_LT(chi_square(tops, sides[16], 17), 39.25);
}

TEST(Crop, HasAPixelAtLeast) {
  const torch::Tensor images = byte_images(1, 3, 8);
  const Augmenter augmenter(trial("cnr0.05"), images);
  for (int epoch = 0; epoch < 200; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch);
    ASSERT_TRUE(((view >= 0) & (view <= 1)).all().item<bool>());
  }
}

TEST(Crop, OfTheWholeImageIsTheImage) {
  const torch::Tensor images = byte_images(1, 3, 8);
  EXPECT_TRUE(
      same_bits(view_of(Augmenter(trial("cnr1"), images), 0), images[0].to(torch::kFloat32) / 255));
}

TEST(Flip, HappensToHalfOfTheViews) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("hflip"), image_of(2, [](int, int x) { return 255 * x; }));
  int flips = 0;
  for (int epoch = 0; epoch < draws; ++epoch)
    flips += view_of(augmenter, 0, epoch).data_ptr<float>()[0] == 1;
  EXPECT_NEAR(flips, draws / 2, 3.3 * std::sqrt(draws / 4.0));
}

TEST(Flip, UpsideDownHappensToHalfOfTheViewsWhateverTheOther) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("hflip+vflip"),
                            image_of(2, [](int y, int x) { return 100 * y + 50 * x; }));
  std::map<int, int> corners;
  for (int epoch = 0; epoch < draws; ++epoch)
    ++corners[static_cast<int>(
        std::lround(255 * view_of(augmenter, 0, epoch).data_ptr<float>()[0]))];
  EXPECT_EQ(corners.size(), 4);
  EXPECT_LT(chi_square(corners, draws, 4), 16.27);  // p = 0.001, 3 degrees of freedom
}

TEST(Shift, TakesEveryPlaceUpToAnEighthEquallyOften) {
  constexpr int draws = 10000, side = 16;
  const Augmenter augmenter(trial("shift"),
                            image_of(side, [](int y, int x) { return 16 * y + x; }));
  std::map<int, int> places;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch)[0];
    ++places[static_cast<int>(std::lround(255 * view[8][8].item<float>()))];
  }
  EXPECT_EQ(places.size(), 25);
  EXPECT_EQ(places.begin()->first, 16 * 6 + 6);
  EXPECT_EQ(places.rbegin()->first, 16 * 10 + 10);
  EXPECT_LT(chi_square(places, draws, 25), 51.18);  // p = 0.001, 24 degrees of freedom
}

TEST(Gray, HappensWithItsProbabilityAndOnlyThen) {
  constexpr int draws = 5000;
  torch::Tensor red = at::zeros({1, 3, 1, 1}, torch::kUInt8);
  red[0][0].fill_(255);
  const Augmenter augmenter(trial("gray0.2"), red);
  int grays = 0;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch).flatten();
    const float* rgb = view.data_ptr<float>();
    if (rgb[2] == 0) {
      ASSERT_EQ(rgb[0], 1);
    } else {
      ++grays;
      ASSERT_NEAR(rgb[0], 0.2989F, 1e-6);
      ASSERT_EQ(rgb[0], rgb[1]);
      ASSERT_EQ(rgb[0], rgb[2]);
    }
  }
  EXPECT_NEAR(grays, 0.2 * draws, 3.3 * std::sqrt(draws * 0.16));
}

TEST(Jitter, IsAlwaysAppliedAndNeverClipped) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("jitter_b0.4"), image_of(1, [](int, int) { return 255; }));
  std::map<int, int> tenths;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const double change = view_of(augmenter, 0, epoch).data_ptr<float>()[0] - 1.0;
    ASSERT_GE(change, -0.4 - 1e-6);
    ASSERT_LT(change, 0.4 + 1e-6);
    ++tenths[static_cast<int>(std::floor((change + 0.4) / 0.08001))];
  }
  EXPECT_LT(chi_square(tenths, draws, 10), 27.9);  // p = 0.001: half of all leave [0, 1]
}

// Contrast about the mean of each channel: one pixel at 0 and one at 1 lie at 0.5 -+ factor / 2.
TEST(Jitter, StretchesContrastByFactorsAroundOne) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("jitter_c0.4"), image_of(2, [](int y, int) { return 255 * y; }));
  std::map<int, int> tenths;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch).flatten();
    const double factor = view.data_ptr<float>()[2] - view.data_ptr<float>()[0];
    ASSERT_NEAR(view.mean().item<double>(), 0.5, 1e-6);
    ++tenths[static_cast<int>(std::floor((factor - 0.6) / 0.08001))];
  }
  EXPECT_EQ(tenths.begin()->first, 0);
  EXPECT_EQ(tenths.rbegin()->first, 9);
  EXPECT_LT(chi_square(tenths, draws, 10), 27.9);
}

torch::Tensor one_pixel(int red, int green, int blue) {
  return at::tensor({red, green, blue}, torch::kUInt8).view({1, 3, 1, 1});
}

// A pixel's brightest channel stays, and its darkest one is that times 1 - saturation.
TEST(Jitter, ScalesSaturationByFactorsAroundOne) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("jitter_s0.4"), one_pixel(255, 127, 127));
  std::map<int, int> tenths;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch).flatten();
    const float* rgb = view.data_ptr<float>();
    ASSERT_NEAR(rgb[0], 1, 1e-6);
    ASSERT_NEAR(rgb[1], rgb[2], 1e-6);
    const double factor = (1 - rgb[1]) / (128 / 255.0);
    ++tenths[static_cast<int>(std::floor((factor - 0.6) / 0.08001))];
  }
  EXPECT_EQ(tenths.begin()->first, 0);
  EXPECT_EQ(tenths.rbegin()->first, 9);
  EXPECT_LT(chi_square(tenths, draws, 10), 27.9);
}

// Red turned by up to 0.4 of the circle either way: one channel stays 1, one 0, the third tells.
TEST(Jitter, TurnsHueBothWays) {
  constexpr int draws = 4000;
  const Augmenter augmenter(trial("jitter_h0.4"), one_pixel(255, 0, 0));
  std::map<int, int> tenths;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch).flatten();
    const float* rgb = view.data_ptr<float>();
    const double turns = rgb[2] < 1e-6     ? (rgb[0] > 1 - 1e-6 ? rgb[1] : 2 - rgb[0])
                         : rgb[1] < 1e-6   ? (rgb[0] > 1 - 1e-6 ? -rgb[2] : rgb[0] - 2)
                         : rgb[1] > rgb[2] ? 2 + rgb[2]
                                           : -2 - rgb[1];
    ASSERT_LT(std::abs(turns / 6), 0.4 + 1e-6);
    ++tenths[static_cast<int>(std::floor((turns / 6 + 0.4) / 0.08001))];
  }
  EXPECT_EQ(tenths.begin()->first, 0);
  EXPECT_EQ(tenths.rbegin()->first, 9);
  EXPECT_LT(chi_square(tenths, draws, 10), 27.9);
}

// Contrast and saturation do not commute, so a view shows which of them came first.
using Pixels = std::array<Rgb, 4>;

Pixels stretched(Pixels pixels, float factor) {
  for (float Rgb::*channel : {&Rgb::r, &Rgb::g, &Rgb::b}) {
    float mean = 0;
    for (const Rgb& pixel : pixels) mean += pixel.*channel / 4;
    for (Rgb& pixel : pixels) pixel.*channel = (pixel.*channel - mean) * factor + mean;
  }
  return pixels;
}

Pixels saturated(Pixels pixels, float factor) {
  for (Rgb& pixel : pixels) pixel = scale_saturation(pixel, factor);
  return pixels;
}

float distance(const torch::Tensor& view, const Pixels& pixels) {
  const torch::Tensor values = view.flatten();
  const float* at = values.data_ptr<float>();
  float largest = 0;
  for (int i = 0; i < 4; ++i)
    for (float difference : {at[i] - pixels[i].r, at[4 + i] - pixels[i].g, at[8 + i] - pixels[i].b})
      largest = std::max(largest, std::abs(difference));
  return largest;
}

TEST(Jitter, HasOneOrderForEachViewOfARun) {
  const Pixels pixels{Rgb{1, 0.2F, 0.2F}, Rgb{0.2F, 1, 0.2F}, Rgb{0.6F, 0.6F, 0.4F},
                      Rgb{0.2F, 0.4F, 1}};
  const torch::Tensor image =
      at::tensor({255, 51, 153, 51, 51, 255, 153, 102, 51, 51, 102, 255}, torch::kUInt8)
          .view({1, 3, 2, 2});
  int orders_seen[2] = {0, 0};
  for (std::int64_t seed = 1; seed <= 6; ++seed) {
    const Augmenter augmenter(trial("jitter_c0.4_s0.4", DistributionAugmentation::none, seed),
                              image);
    for (std::uint32_t view = 0; view < 4; ++view) {
      int stretched_first = 0, saturated_first = 0;
      for (std::int64_t epoch = 0; epoch < 40; ++epoch) {
        const Draws draws(seed, Purpose::augmentation, static_cast<std::uint32_t>(epoch), 0, view);
        const float contrast = 1 + symmetric(draws.uniform(draw_contrast), 0.4F);
        const float saturation = 1 + symmetric(draws.uniform(draw_saturation), 0.4F);
        const torch::Tensor found = view_of(augmenter, 0, epoch, view);
        const float one = distance(found, saturated(stretched(pixels, contrast), saturation));
        const float other = distance(found, stretched(saturated(pixels, saturation), contrast));
        ASSERT_LT(std::min(one, other), 1e-5);
        stretched_first += other > 1e-4F;
        saturated_first += one > 1e-4F;
      }
      EXPECT_NE(stretched_first > 0, saturated_first > 0) << "seed " << seed << " view " << view;
      ++orders_seen[saturated_first > 0];
    }
  }
  EXPECT_GT(orders_seen[0], 4);
  EXPECT_GT(orders_seen[1], 4);
}

Pixels changed(Pixels pixels, int change, const Draws& draws) {
  const auto drawn = [&](std::uint32_t which) { return symmetric(draws.uniform(which), 0.4F); };
  switch (change) {
    case 0:
      for (Rgb& pixel : pixels)
        for (float Rgb::*channel : {&Rgb::r, &Rgb::g, &Rgb::b})
          pixel.*channel += drawn(draw_brightness);
      return pixels;
    case 1:
      return stretched(pixels, 1 + drawn(draw_contrast));
    case 2:
      return saturated(pixels, 1 + drawn(draw_saturation));
    default:
      for (Rgb& pixel : pixels) pixel = shift_hue(pixel, drawn(draw_hue));
      return pixels;
  }
}

// What an order of changes 0 to 3 (brightness, contrast, saturation, hue) has to do with the
// result: brightness commutes with contrast and hue, and saturation with hue.
std::string told_apart(const std::array<int, 4>& order) {
  const auto place = [&](int change) {
    return std::find(order.begin(), order.end(), change) - order.begin();
  };
  std::string text;
  for (const auto& [one, other] : {std::pair{0, 2}, std::pair{1, 2}, std::pair{1, 3}})
    text += place(one) < place(other) ? '<' : '>';
  return text;
}

TEST(Jitter, ThatIsShuffledTakesEveryOrderEquallyOften) {
  constexpr int draws = 3000;
  const Pixels pixels{Rgb{1, 0.2F, 0.2F}, Rgb{0.2F, 0.8F, 0.4F}, Rgb{0.6F, 0.6F, 0.4F},
                      Rgb{0.2F, 0.4F, 1}};
  const torch::Tensor image =
      at::tensor({255, 51, 153, 51, 51, 204, 153, 102, 51, 102, 102, 255}, torch::kUInt8)
          .view({1, 3, 2, 2});
  const Augmenter augmenter(trial("jitter_b0.4_c0.4_s0.4_h0.4_shuffled"), image);
  std::map<std::string, int> seen, orders;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch);
    const Draws drawn(1, Purpose::augmentation, static_cast<std::uint32_t>(epoch), 0, 0);
    std::array<int, 4> order{0, 1, 2, 3};
    std::map<float, std::string> by_distance;
    do {
      Pixels made = pixels;
      for (const int change : order) made = changed(made, change, drawn);
      by_distance.emplace(distance(view, made), told_apart(order));
      if (epoch == 0) ++orders[told_apart(order)];
    } while (std::next_permutation(order.begin(), order.end()));
    ASSERT_LT(by_distance.begin()->first, 1e-5);
    ++seen[by_distance.begin()->second];
  }
  ASSERT_EQ(orders.size(), 8);
  double sum = 0;
  for (const auto& [order, of_24] : orders) {
    const double expected = draws * of_24 / 24.0;
    sum += std::pow(seen[order] - expected, 2) / expected;
  }
  EXPECT_LT(sum, 24.4);  // p = 0.001, 7 degrees of freedom
}

// A single pixel blurred by (r, 1, r) / (1 + 2 r) both ways, r = exp(-1 / (2 sigma^2)).
TEST(Blur, DrawsItsWidthUniformlyFromATenthToTwo) {
  constexpr int draws = 4000;
  const Augmenter augmenter(
      trial("blur1"), image_of(32, [](int y, int x) { return y == 16 && x == 16 ? 255 : 0; }));
  std::map<int, int> tenths;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const double left = view_of(augmenter, 0, epoch)[0][16][16].item<double>();
    const double r = (1 / std::sqrt(left) - 1) / 2;
    const double sigma = r < 1e-6 ? 0.1 : std::sqrt(-1 / (2 * std::log(r)));
    ASSERT_LT(sigma, 2.01);
    ++tenths[static_cast<int>(std::floor((sigma - 0.1) / 0.19001))];
  }
  EXPECT_LT(chi_square(tenths, draws, 10), 27.9);
}

TEST(Blur, KeepsTheMeanInsideAndBlursWithItsProbability) {
  constexpr int draws = 1000;
  const Augmenter augmenter(
      trial("blur0.5"), image_of(32, [](int y, int x) { return y == 16 && x == 16 ? 255 : 0; }));
  int blurred = 0;
  for (int epoch = 0; epoch < draws; ++epoch) {
    const torch::Tensor view = view_of(augmenter, 0, epoch);
    ASSERT_NEAR(view.sum().item<double>(), 3, 1e-4);
    blurred += view[0][16][16].item<float>() < 1;
    ASSERT_EQ(view[0][16][18].item<float>(), 0) << "a kernel of 3 pixels";
  }
  // sigma near 0.1 leaves the image, for about a tenth of the draws.
  EXPECT_NEAR(blurred, 0.5 * draws, 80);
}

TEST(SourceOf, TurnsCounterClockwise) {
  // [a b / c d] turned once is [b d / a c]: the output's top left comes from the top right.
  int y = 0, x = 0;
  source_of({1, false, false}, 2, 0, 0, y, x);
  EXPECT_EQ(y, 0);
  EXPECT_EQ(x, 1);
  source_of({1, false, false}, 2, 1, 0, y, x);
  EXPECT_EQ(y, 0);
  EXPECT_EQ(x, 0);
}

}  // namespace
}  // namespace occam
