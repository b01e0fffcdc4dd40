// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/augment.cu"
// clang-format on
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/augmentation.h"
#include "worker/random.h"

namespace occam {
namespace {

using nlohmann::json;

// As augmentation_oracle.py's source_image: planes of bytes.
std::vector<std::uint8_t> oracle_images(int count, int channels, int side) {
  std::vector<std::uint8_t> made;
  for (int n = 0; n < count; ++n)
    for (int p = 0; p < channels; ++p)
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x)
          made.push_back(static_cast<std::uint8_t>(37 * p * p + 91 * x * y + 13 * x + 7 * y * y +
                                                   53 * p * x + 29 * n + 11 * p * y));
  return made;
}

// The step's one view of a golden case, made by the kernel.
std::vector<float> view_of(const json& one) {
  const int side = one.at("side"), channels = one.at("channels"), view = one.at("view"),
            turns = one.at("turns");
  cuda::AugmentPlan plan{};
  plan.side = side;
  plan.channels = channels;
  plan.batch = plan.step_rows = 1;
  // Turned views are as many quarters on as they are views.
  plan.turns = turns > 0;
  plan.views = view + 1;
  for (const AugmentationOperation& operation :
       AugmentationSet(one.at("augmentations").get<std::string>()).operations()) {
    auto& made = plan.operations[plan.operation_count++];
    made = {static_cast<cuda::AugmentPlan::Operation::Kind>(operation.kind),
            least_crop_side(operation.amount, side),
            most_shift(side),
            static_cast<std::int32_t>(operation.amount),
            operation.order_per_image,
            static_cast<float>(operation.amount),
            static_cast<float>(operation.brightness),
            static_cast<float>(operation.contrast),
            static_cast<float>(operation.saturation),
            static_cast<float>(operation.hue)};
  }
  for (int k = 0; k < 4; ++k) plan.transforms[plan.transform_count++] = {k, false, false};

  const std::vector<std::uint8_t> images = oracle_images(3, channels, side);
  const std::int32_t row = one.at("row");
  cuda::StepState state;
  state.images = images.data();
  state.order = &row;
  state.image_count = 3;
  state.seed = one.at("seed");
  state.epoch = one.at("epoch");
  for (std::uint32_t v = 0; v < 4; ++v) {
    const Draws draws(state.seed, Purpose::jitter_order, v);
    std::uint8_t order[4] = {0, 1, 2, 3};
    for (std::uint32_t i = 3; i > 0; --i) std::swap(order[i], order[draws.below(i, i + 1)]);
    std::copy(order, order + 4, state.jitter_order[v]);
  }
  const std::size_t pixels = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  const std::size_t of_view = pixels * cuda::kInputChannels;
  std::vector<float> out(of_view * static_cast<std::size_t>(plan.views), NAN);
  cuda::augment(plan, &state, out.data(), cuda::Element::float32, nullptr);
  std::vector<float> planes;
  for (std::size_t p = 0; p < 3; ++p)
    for (std::size_t pixel = 0; pixel < pixels; ++pixel)
      planes.push_back(
          out[of_view * static_cast<std::size_t>(view) + pixel * cuda::kInputChannels + p]);
  return planes;
}

TEST(Augment, AgreesWithTheNumpyOracleOnEveryOperation) {
  std::ifstream file(OCCAM_SOURCE_DIR "/tests/golden/augmentations.json");
  int compared = 0;
  for (json one : json::parse(file)) {
    const std::string copies = one.at("distribution_augmentation");
    // A turn is the view's own here; other copies are the plan's alone.
    if (one.at("turns") != 0 && one.at("turns") != one.at("view")) continue;
    if (copies != "none" && copies != "rotation") continue;
    const std::vector<float> found = view_of(one);
    const std::vector<double> expected = one.at("pixels");
    ASSERT_EQ(found.size(), expected.size());
    one.erase("pixels");
    double furthest = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      furthest = std::max(furthest, std::abs(found[i] - expected[i]));
    EXPECT_LT(furthest, 1e-5) << one;
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

}  // namespace
}  // namespace occam
