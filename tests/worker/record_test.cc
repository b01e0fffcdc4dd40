#include "worker/train/record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/worker/sample.h"
#include "worker/evaluate/npy.h"
#include "worker/train/train.h"

namespace occam {
namespace {

TEST(Record, WritesDownWhatAnotherImplementationNeedsToRepeatTheTraining) {
  const TemporaryFolder folder;
  const Trial trial = narrow_trial(Loss::rotation);
  const torch::Tensor images = byte_images(32, 1, 16);
  record_training(trial, images, folder.path());

  std::ifstream file(folder.path() / "recipe.json");
  const auto recipe = nlohmann::json::parse(file);
  EXPECT_EQ(recipe.at("steps_per_epoch"), 4);
  EXPECT_EQ(recipe.at("trial").at("loss"), "rotation");
  Network untrained(trial, torch::kCPU);
  EXPECT_TRUE(same_bits(read_npy(folder.path() / "weights.0.npy"), untrained.flat()));
  std::int64_t elements = 0;
  for (const auto& one : recipe.at("parameters")) {
    std::int64_t size = 1;
    for (std::int64_t side : one.at("shape")) size *= side;
    elements += size;
  }
  EXPECT_EQ(elements, untrained.flat().numel());

  std::vector<double> curve;
  std::int64_t step = 0;
  TrainingHooks hooks;
  hooks.on_batch = [&](const torch::Tensor&, const torch::Tensor& weights, const torch::Tensor&) {
    const std::string name = "weights." + std::to_string(step++) + ".npy";
    EXPECT_TRUE(same_bits(read_npy(folder.path() / name), weights)) << name;
  };
  hooks.on_epoch = [&](const Progress& progress) { curve.push_back(progress.loss); };
  Bench bench(torch::kCPU);
  const Training training = train(trial, images, bench, std::nullopt, hooks);
  EXPECT_TRUE(same_bits(read_npy(folder.path() / "trained.npy"), training.network->flat()));
  EXPECT_TRUE(
      same_bits(read_npy(folder.path() / "statistics.npy"), training.network->statistics()));
  const torch::Tensor losses = read_npy(folder.path() / "losses.npy");
  ASSERT_EQ(losses.numel(), 12);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch)
    EXPECT_NEAR(losses.narrow(0, 4 * epoch, 4).mean().item<double>(), curve[epoch], 1e-6);

  // The first loss is that of the first batch through the first weights.
  const torch::Tensor batch = read_npy(folder.path() / "images.0.npy");
  EXPECT_EQ(batch.sizes(), (std::vector<std::int64_t>{4 * 8, 3, 16, 16}));
  EXPECT_NEAR(at::cross_entropy_loss(untrained.forward(batch, true).logits,
                                     at::arange(4).repeat_interleave(8))
                  .item<double>(),
              losses[0].item<double>(), 1e-6);
}

}  // namespace
}  // namespace occam
