#include "worker/evaluate/extract.h"

#include <gtest/gtest.h>

#include "tests/worker/sample.h"
#include "worker/data/images.h"

namespace occam {
namespace {

// A network whose running statistics are those of some images, so that features differ.
std::unique_ptr<Network> network(const Trial& trial) {
  torch::NoGradGuard no_gradient;
  auto made = std::make_unique<Network>(trial, torch::kCPU);
  made->forward(network_input(byte_images(16, 1, 16)), true);
  return made;
}

void ignore(std::int64_t) {}

TEST(Extract, GivesEveryImageTheFeaturesOfItsInference) {
  torch::NoGradGuard no_gradient;
  const auto rotation = network(narrow_trial(Loss::rotation));
  const torch::Tensor images = byte_images(253, 1, 8);  // more than one batch
  const ExtractedFeatures features = extract(*rotation, images, false, ignore);
  const NetworkOutput expected = rotation->forward(network_input(images), false);
  EXPECT_EQ(features.pool.sizes(), (std::vector<std::int64_t>{253, 16}));
  EXPECT_TRUE(at::allclose(features.pool, expected.pool, 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(features.embed, expected.embed, 1e-4, 1e-5));
  EXPECT_FALSE(features.logit.defined());
}

TEST(Extract, LeavesTheNetworkAsItIsAndRecordsNoGradient) {
  const auto contrastive = network(narrow_trial(Loss::contrastive));
  const torch::Tensor weights = contrastive->flat().clone();
  const torch::Tensor statistics = contrastive->statistics().clone();
  const ExtractedFeatures features = extract(*contrastive, byte_images(9, 3, 8), false, ignore);
  EXPECT_FALSE(features.pool.requires_grad());
  EXPECT_TRUE(same_bits(contrastive->flat(), weights));
  EXPECT_TRUE(same_bits(contrastive->statistics(), statistics));
}

TEST(Extract, GivesLogProbabilitiesOfTheFourTurnsCounterClockwise) {
  torch::NoGradGuard no_gradient;
  const auto rotation = network(narrow_trial(Loss::rotation));
  const torch::Tensor images = byte_images(5, 1, 16);
  const torch::Tensor logit = extract(*rotation, images, true, ignore).logit;
  ASSERT_EQ(logit.sizes(), (std::vector<std::int64_t>{5, 4, 4}));
  EXPECT_TRUE(at::allclose(logit.exp().sum(2), at::ones({5, 4})));
  for (int turns = 0; turns < 4; ++turns) {
    // [a b / c d] turned counter-clockwise once is [b d / a c]: mirrored rows after transposing.
    torch::Tensor turned = network_input(images);
    for (int i = 0; i < turns; ++i) turned = turned.transpose(2, 3).flip(2);
    const torch::Tensor expected = at::log_softmax(rotation->forward(turned, false).logits, 1);
    EXPECT_TRUE(at::allclose(logit.select(1, turns), expected, 1e-4, 1e-5)) << turns;
  }
  EXPECT_FALSE(at::allclose(logit.select(1, 0), logit.select(1, 1), 1e-3));
}

TEST(Extract, HasNoEmbedWithoutAHead) {
  Trial trial = narrow_trial(Loss::rotation);
  trial.head_layers = 0;
  const auto rotnet = network(canonical(trial));
  EXPECT_FALSE(extract(*rotnet, byte_images(3, 1, 16), true, ignore).embed.defined());
}

TEST(Extract, SaysHowManyImagesAreDoneAndStopsWhenThatThrows) {
  const auto contrastive = network(narrow_trial(Loss::contrastive));
  const torch::Tensor images = byte_images(501, 1, 8);
  std::vector<std::int64_t> heard;
  extract(*contrastive, images, false, [&](std::int64_t count) { heard.push_back(count); });
  EXPECT_EQ(heard, (std::vector<std::int64_t>{250, 500, 501}));
  EXPECT_THROW(extract(*contrastive, images, false, [](std::int64_t) { throw 1; }), int);
}

TEST(PixelFeatures, AreBytesOver255OneRowAnImage) {
  const torch::Tensor images = byte_images(3, 1, 4);
  const torch::Tensor features = pixel_features(images);
  EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{3, 16}));
  EXPECT_EQ(features[1][6].item<float>(),
            static_cast<float>(images[1][0][1][2].item<int>()) / 255.0F);
}

}  // namespace
}  // namespace occam
