#include "experiments/cost.h"

#include "tests/experiments/sample.h"

namespace occam {
namespace {

TEST(ForwardMacs, AreThoseOfAResNet18OnSmallImages) {
  // By hand: stem 27*64*32^2; four stages of two blocks, each of two 3x3 convolutions; three 1x1
  // projections. 555,417,600 is the published count of this network.
  EXPECT_EQ(forward_macs(trial(R"({"head_layers": 0, "loss": "rotation"})")),
            555'417'600.0 + 512 * 4);
  EXPECT_EQ(forward_macs(trial(R"({})")), 555'417'600.0 + 8 * 512 * 512 + 512 * 128);
  EXPECT_EQ(forward_macs(trial(R"({})")), kFullImageMacs);
}

TEST(FullImagesPerStep, WeighImagesByTheirSideAndTheNetwork) {
  EXPECT_EQ(full_images_per_step(trial(R"({"batch_size": 256})")), 512);
  EXPECT_EQ(full_images_per_step(trial(R"({"batch_size": 128, "loss": "rotation"})")), 512);
  EXPECT_EQ(full_images_per_step(trial(R"({"batch_size": 256, "dataset": "cats-vs-dogs"})")), 2042);
  EXPECT_LT(full_images_per_step(trial(R"({"batch_size": 256, "width": 0.5})")), 170);
  EXPECT_EQ(full_images_per_step(trial(R"({"epochs": 0})")), 1);
}

TEST(ForwardMacs, GrowWithDepthAndWidth) {
  const double usual = forward_macs(trial(R"({})"));
  EXPECT_LT(forward_macs(trial(R"({"depth": 10})")), usual);
  EXPECT_GT(forward_macs(trial(R"({"depth": 34})")), 1.9 * usual);
  EXPECT_GT(forward_macs(trial(R"({"width": 2})")), 3.5 * usual);
  EXPECT_LT(forward_macs(trial(R"({"width": 0.5})")), usual / 3);
}

TEST(TrainingMacs, CountThreePassesOfEveryImageOfEveryStep) {
  const Trial one = trial(R"({"steps": 10, "batch_size": 16})");
  EXPECT_EQ(training_macs(one), 3 * forward_macs(one) * 10 * 32);
  EXPECT_EQ(training_macs(trial(R"({"epochs": 0})")), 0);
}

TEST(EvaluationMacs, CountEveryImageThatIsSentThroughTheNetwork) {
  const Trial one = trial(R"({"loss": "rotation", "train_limit": 100})");
  const double image = forward_macs(one);
  const EvaluationRequest pool{Features::pool, Classifier::kde, {}};
  const EvaluationRequest some{Features::pool, Classifier::kde, {0.5, 10, 50}};
  const EvaluationRequest pixels{Features::pixels, Classifier::kde, {}};
  const EvaluationRequest logit{Features::logit, Classifier::rotation, {}};
  EXPECT_EQ(evaluation_macs(one, {pool, pool}), image * 10'100);
  EXPECT_EQ(evaluation_macs(one, {some}), image * 150);
  EXPECT_EQ(evaluation_macs(one, {pixels}), 0);
  EXPECT_EQ(evaluation_macs(one, {logit}), image * 40'000);
}

}  // namespace
}  // namespace occam
