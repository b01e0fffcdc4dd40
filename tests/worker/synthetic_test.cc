#include "worker/data/synthetic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/sample.h"

namespace occam {
namespace {

const ImageData& data() {
  static const ImageData made = load_images(Dataset::synthetic, {}, "");
  return made;
}

// The images of one class, turned back so that all glyphs stand upright.
torch::Tensor upright(const LabelledImages& part, std::int64_t label) {
  std::vector<torch::Tensor> some;
  for (std::size_t i = 0; i < part.labels.size(); ++i)
    if (part.labels[i] == label) some.push_back(part.images[static_cast<std::int64_t>(i)]);
  return at::rot90(at::stack(some).to(torch::kFloat64) / 255, -label, {2, 3});
}

TEST(Synthetic, HasTheRowsThatItsFactsName) {
  EXPECT_EQ(data().train.images.sizes(), (std::vector<std::int64_t>{4 * 1024, 1, 32, 32}));
  EXPECT_EQ(data().test.images.sizes(), (std::vector<std::int64_t>{1024, 1, 32, 32}));
  for (std::int64_t label = 0; label < 4; ++label) {
    EXPECT_EQ(upright(data().train, label).size(0), 1024);
    EXPECT_EQ(upright(data().test, label).size(0), 256);
  }
}

TEST(Synthetic, IsTheSameWhereverItIsMade) {
  EXPECT_EQ(data().digest, load_images(Dataset::synthetic, {}, "").digest);
  EXPECT_EQ(data().digest, "68dbca2bb3d14e58") << "another data set needs another name";
}

TEST(Synthetic, TestsOnImagesThatItDoesNotTrainOn) {
  EXPECT_FALSE(same_bits(data().train.images.narrow(0, 0, 4), data().test.images.narrow(0, 0, 4)));
}

// Whatever is left when every class is turned upright is drawn alike: means and deviations of
// brightness, and of its place, agree to what 1024 images can tell.
TEST(Synthetic, DiffersBetweenClassesInOrientationAlone) {
  const auto moments = [](const torch::Tensor& images) {
    const torch::Tensor brightness = images.flatten(1).mean(1);
    const torch::Tensor contrast = images.flatten(1).std(1, true);
    const torch::Tensor deviation = (images - images.mean({2, 3}, true)).square();
    const torch::Tensor places = at::arange(32, torch::kFloat64) - 15.5;
    const torch::Tensor mass = deviation.sum({1, 2, 3});
    const torch::Tensor across = (deviation.sum({1, 2}) * places).sum(1) / mass;
    const torch::Tensor down = (deviation.sum({1, 3}) * places).sum(1) / mass;
    return at::stack({brightness, contrast, across, down}, 1);
  };
  const torch::Tensor first = moments(upright(data().train, 0));
  for (std::int64_t label = 1; label < 4; ++label) {
    const torch::Tensor other = moments(upright(data().train, label));
    const torch::Tensor error = ((first.var(0, true) + other.var(0, true)) / 1024).sqrt();
    const torch::Tensor deviations = (first.mean(0) - other.mean(0)) / error;
    EXPECT_LT(deviations.abs().max().item<double>(), 3.7) << label << ": " << deviations;
  }
}

// A margin on one side alone would tell which way is up without any look at the glyphs.
TEST(Synthetic, PutsGlyphsUpToEveryEdge) {
  const torch::Tensor all = at::cat({upright(data().train, 0), upright(data().train, 1),
                                     upright(data().train, 2), upright(data().train, 3)});
  const torch::Tensor deviation = (all - all.mean({2, 3}, true)).square();
  const torch::Tensor inked = deviation.amax(0)[0].gt(0.05);
  EXPECT_TRUE(inked.any(0).all().item<bool>()) << "every column";
  EXPECT_TRUE(inked.any(1).all().item<bool>()) << "every row";
}

}  // namespace
}  // namespace occam
