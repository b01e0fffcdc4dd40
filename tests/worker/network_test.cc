#include "worker/model/network.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "experiments/disk.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

using nlohmann::json;

Trial full(Loss loss, double width = 1) {
  Trial trial;
  trial.loss = loss;
  trial.width = width;
  return canonical(trial);
}

std::map<std::string, torch::Tensor> by_name(const Network& network) {
  std::map<std::string, torch::Tensor> all;
  for (const Network::Parameter& parameter : network.parameters())
    all[parameter.name] = parameter.value.detach();
  return all;
}

std::int64_t parameters_of_trunk(const Network& network) {
  std::int64_t count = 0;
  for (const auto& [name, value] : by_name(network))
    if (!name.starts_with("head.")) count += value.numel();
  return count;
}

torch::Tensor images(std::int64_t count, std::int64_t side = 16) {
  return byte_images(count, 3, side).to(torch::kFloat32) / 255;
}

torch::Tensor tensor(const json& values) {
  return at::tensor(values.get<std::vector<double>>(), torch::kFloat64).to(torch::kFloat32);
}

TEST(Network, OfTheReleasedRecipeHasTheReleasedNumberOfParameters) {
  Network contrastive(full(Loss::contrastive), torch::kCPU);
  EXPECT_EQ(parameters_of_trunk(contrastive), 11168832);
  EXPECT_EQ(contrastive.flat().numel(), 13339712);
  Network rotation(full(Loss::rotation), torch::kCPU);
  EXPECT_EQ(parameters_of_trunk(rotation), 11168832);
  EXPECT_EQ(rotation.flat().numel(), 13275716);
}

TEST(Network, GivesFeaturesAsWideAsItsTrialSays) {
  torch::NoGradGuard no_gradient;
  Trial trial = full(Loss::contrastive, 0.125);
  Network contrastive(trial, torch::kCPU);
  const NetworkOutput one = contrastive.forward(images(2, 32), false);
  EXPECT_EQ(one.pool.sizes(), (std::vector<std::int64_t>{2, 64}));
  EXPECT_EQ(one.embed.sizes(), (std::vector<std::int64_t>{2, 128}));
  EXPECT_FALSE(one.logits.defined());

  Network rotation(full(Loss::rotation, 0.125), torch::kCPU);
  const NetworkOutput other = rotation.forward(images(2, 32), false);
  EXPECT_EQ(other.pool.sizes(), (std::vector<std::int64_t>{2, 64}));
  EXPECT_EQ(other.embed.sizes(), (std::vector<std::int64_t>{2, 512}));
  EXPECT_EQ(other.logits.sizes(), (std::vector<std::int64_t>{2, 4}));
}

TEST(Network, OfRotationWithoutHeadLayersIsRotNetWithoutEmbed) {
  torch::NoGradGuard no_gradient;
  Trial trial = narrow_trial(Loss::rotation);
  trial.head_layers = 0;
  Network network(canonical(trial), torch::kCPU);
  const NetworkOutput output = network.forward(images(2), false);
  EXPECT_FALSE(output.embed.defined());
  const auto parameters = by_name(network);
  EXPECT_TRUE(
      at::allclose(output.logits, at::linear(output.pool, parameters.at("head.rotation.weight"),
                                             parameters.at("head.rotation.bias"))));
  EXPECT_EQ(network.flat().numel() - parameters_of_trunk(network), 16 * 4 + 4);
}

// The last of the head_layers is linear with a bias; the others are normalised and have none.
TEST(Network, OfRotationEndsInALinearEmbedWithABias) {
  torch::NoGradGuard no_gradient;
  Network network(narrow_trial(Loss::rotation), torch::kCPU);
  const auto parameters = by_name(network);
  EXPECT_TRUE(parameters.contains("head.0.bn.gamma"));
  EXPECT_FALSE(parameters.contains("head.0.bias"));
  EXPECT_TRUE(parameters.contains("head.rotation_embed.bias"));
  EXPECT_FALSE(parameters.contains("head.rotation_embed.bn.gamma"));
  EXPECT_FALSE(parameters.contains("head.1.weight"));
  const NetworkOutput output = network.forward(images(8), false);
  EXPECT_LT(output.embed.min().item<float>(), 0) << "no ReLU";
  EXPECT_TRUE(
      at::allclose(output.logits, at::linear(output.embed, parameters.at("head.rotation.weight"),
                                             parameters.at("head.rotation.bias"))));
}

TEST(Network, OfContrastiveEndsInALinearLayerWithoutBias) {
  Network network(narrow_trial(Loss::contrastive), torch::kCPU);
  const auto parameters = by_name(network);
  EXPECT_EQ(parameters.at("head.embed.weight").sizes(), (std::vector<std::int64_t>{10, 12}));
  EXPECT_FALSE(parameters.contains("head.embed.bias"));
  EXPECT_TRUE(parameters.contains("head.1.bn.gamma"));
}

TEST(Network, AgreesWithTheNumpyOracle) {
  torch::NoGradGuard no_gradient;
  std::ifstream file(OCCAM_SOURCE_DIR "/tests/golden/network.json");
  for (const json& golden : json::parse(file)) {
    SCOPED_TRACE(golden.at("loss").get<std::string>());
    Network network(narrow_trial(from_name<Loss>(golden.at("loss").get<std::string>())),
                    torch::kCPU);
    json parameters = json::array();
    for (const Network::Parameter& parameter : network.parameters())
      parameters.push_back({parameter.name, parameter.value.sizes().vec()});
    EXPECT_EQ(parameters, golden.at("parameters"));

    std::int64_t at = 0;
    for (const Network::Parameter& parameter : network.parameters()) {
      const torch::Tensor places = at::arange(at, at + parameter.value.numel(), torch::kFloat64);
      parameter.value.copy_((0.1 + 0.5 * (0.7 * places).sin()).view(parameter.value.sizes()));
      at += parameter.value.numel();
    }
    const torch::Tensor pixels = at::arange(3 * 3 * 16 * 16, torch::kFloat64);
    const torch::Tensor batch = (0.5 + 0.5 * (0.37 * pixels + 0.00011 * pixels * pixels).sin())
                                    .to(torch::kFloat32)
                                    .view({3, 3, 16, 16});
    const auto expect_close = [](const torch::Tensor& found, const json& expected) {
      EXPECT_TRUE(at::allclose(found.flatten(), tensor(expected), 1e-3, 1e-4))
          << (found.flatten() - tensor(expected)).abs().max();
    };
    for (const bool training : {true, false}) {
      const NetworkOutput output = network.forward(batch, training);
      const json& expected = golden.at(training ? "training" : "inference");
      expect_close(output.pool, expected.at("pool"));
      expect_close(output.embed, expected.at("embed"));
      if (expected.contains("logits")) expect_close(output.logits, expected.at("logits"));
      expect_close(network.statistics(), golden.at("statistics"));
    }
  }
}

// Two forwards of half the images each would normalise each half by itself.
TEST(Network, NormalisesByTheStatisticsOfAllImagesOfOneForward) {
  torch::NoGradGuard no_gradient;
  Network network(narrow_trial(Loss::contrastive), torch::kCPU);
  const torch::Tensor dark = images(4) * 0.2, bright = images(4) * 0.5 + 0.5;
  const torch::Tensor together = network.forward(at::cat({dark, bright}), true).embed;
  EXPECT_FALSE(at::allclose(together.narrow(0, 0, 4), network.forward(dark, true).embed, 0.05));
}

TEST(Network, ChangesItsStatisticsInTrainingAlone) {
  torch::NoGradGuard no_gradient;
  Network network(narrow_trial(Loss::contrastive), torch::kCPU);
  const torch::Tensor before = network.statistics().clone();
  const std::int64_t norms = before.numel() / 2;
  EXPECT_TRUE(same_bits(before.narrow(0, 0, norms), at::zeros({norms})));
  EXPECT_TRUE(same_bits(before.narrow(0, norms, norms), at::ones({norms})));
  network.forward(images(4), false);
  EXPECT_TRUE(same_bits(network.statistics(), before));
  network.forward(images(4), true);
  EXPECT_FALSE(same_bits(network.statistics(), before));
}

// In inference an image's features are its own, whatever lies beside it in the batch.
TEST(Network, LooksAtEveryImageAloneInInference) {
  torch::NoGradGuard no_gradient;
  Network network(narrow_trial(Loss::rotation), torch::kCPU);
  network.forward(images(8), true);
  const torch::Tensor batch = images(5);
  const NetworkOutput together = network.forward(batch, false);
  const NetworkOutput alone = network.forward(batch.narrow(0, 3, 1), false);
  EXPECT_TRUE(at::allclose(together.pool[3], alone.pool[0], 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(together.logits[3], alone.logits[0], 1e-4, 1e-5));
}

// The stem's batch statistics by the formula: momentum 0.9 and the unbiased variance.
TEST(Network, MovesItsStatisticsATenthTowardsTheBatch) {
  torch::NoGradGuard no_gradient;
  Network network(narrow_trial(Loss::contrastive), torch::kCPU);
  const torch::Tensor batch = images(4);
  const torch::Tensor stem =
      at::conv2d(batch, by_name(network).at("stem"), {}, 1, 1).transpose(0, 1).flatten(1);
  network.forward(batch, true);
  network.forward(batch, true);
  const torch::Tensor means = network.statistics().narrow(0, 0, 64);
  const torch::Tensor variances =
      network.statistics().narrow(0, network.statistics().numel() / 2, 64);
  EXPECT_TRUE(at::allclose(means, stem.mean(1) * 0.19, 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(variances, 0.81 + 0.19 * stem.var(1, /*unbiased=*/true), 1e-4, 1e-6));
}

TEST(Network, DrawsWhatTrialsOfOneSeedHaveInCommonAlike) {
  const Network contrastive_network(narrow_trial(Loss::contrastive), torch::kCPU);
  const Network rotation_network(narrow_trial(Loss::rotation), torch::kCPU);
  const Network other_seed(narrow_trial(Loss::rotation, 2), torch::kCPU);
  const auto contrastive = by_name(contrastive_network), rotation = by_name(rotation_network);
  int shared = 0;
  for (const auto& [name, value] : contrastive) {
    if (name.starts_with("head.") && !name.starts_with("head.0")) continue;
    EXPECT_TRUE(same_bits(value, rotation.at(name))) << name;
    ++shared;
  }
  EXPECT_EQ(shared, 1 + 2 + 4 * 9 + 3);
  EXPECT_FALSE(same_bits(rotation.at("stem"), by_name(other_seed).at("stem")));
  EXPECT_FALSE(same_bits(rotation.at("layer3.0.conv2").flatten().narrow(0, 0, 9),
                         rotation.at("layer4.0.conv2").flatten().narrow(0, 0, 9)));
}

TEST(Network, DrawsConvolutionsFromATruncatedNormalOfFanOut) {
  const Network network(full(Loss::contrastive, 0.25), torch::kCPU);
  for (const auto& [name, value] : by_name(network)) {
    if (value.dim() != 4 || value.numel() < 10000) continue;
    SCOPED_TRACE(name);
    const auto fan_out = static_cast<double>(value.size(0) * value.size(2) * value.size(3));
    const double deviation = std::sqrt(2 / fan_out);
    const double count = static_cast<double>(value.numel());
    EXPECT_NEAR(value.std().item<double>(), deviation, deviation * 4 / std::sqrt(count));
    EXPECT_NEAR(value.mean().item<double>(), 0, 4 * deviation / std::sqrt(count));
    // Keras divides by the deviation of the standard normal within two of its own.
    const double limit = 2 * deviation / 0.87962566103423978;
    EXPECT_LE(value.abs().max().item<double>(), limit * (1 + 1e-6));
    EXPECT_GT(value.abs().max().item<double>(), 0.95 * limit);
    // 0.1914 / 0.9545 of a truncated normal lie within half a deviation on each side.
    const double inner = value.abs().lt(0.25 * limit).to(torch::kFloat64).mean().item<double>();
    EXPECT_NEAR(inner, 2 * 0.191462 / 0.954500, 4 * 0.5 / std::sqrt(count));
  }
}

TEST(Network, DrawsDenseLayersUniformlyWithinGlorotsLimit) {
  const Network network(full(Loss::rotation, 0.25), torch::kCPU);
  for (const auto& [name, value] : by_name(network)) {
    if (value.dim() != 2) continue;
    SCOPED_TRACE(name);
    const double limit = std::sqrt(6.0 / static_cast<double>(value.size(0) + value.size(1)));
    const double count = static_cast<double>(value.numel());
    EXPECT_LE(value.abs().max().item<double>(), limit);
    EXPECT_GT(value.abs().max().item<double>(), 0.95 * limit);
    EXPECT_NEAR(value.std().item<double>(), limit / std::sqrt(3.0), 4 * limit / std::sqrt(count));
    EXPECT_NEAR(value.mean().item<double>(), 0, 3 * limit / std::sqrt(count));
  }
}

TEST(Network, StartsItsNormsAtOneAndItsBiasesAtZero) {
  const Network network(narrow_trial(Loss::rotation), torch::kCPU);
  for (const auto& [name, value] : by_name(network))
    if (value.dim() == 1) {
      const bool is_gamma = name.ends_with(".gamma");
      EXPECT_TRUE(is_gamma || name.ends_with(".beta") || name.ends_with(".bias")) << name;
      EXPECT_TRUE(same_bits(value, at::full_like(value, is_gamma ? 1 : 0))) << name;
    }
}

TEST(Network, HoldsItsParametersInTheFlatBufferInOrder) {
  Network network(narrow_trial(Loss::contrastive), torch::kCPU);
  std::int64_t at = 0;
  for (const Network::Parameter& parameter : network.parameters()) {
    EXPECT_EQ(parameter.value.data_ptr<float>(), network.flat().data_ptr<float>() + at)
        << parameter.name;
    at += parameter.value.numel();
  }
  EXPECT_EQ(at, network.flat().numel());
  network.flat().fill_(0);
  EXPECT_EQ(network.parameters().front().value.abs().max().item<float>(), 0);
}

TEST(Network, AddsTheGradientOfEveryParameterToTheFlatGradient) {
  for (const Loss loss : {Loss::contrastive, Loss::rotation}) {
    Network network(narrow_trial(loss), torch::kCPU);
    const torch::Tensor batch = images(6);
    const auto objective = [&] {
      const NetworkOutput output = network.forward(batch, true);
      return (output.logits.defined() ? output.logits : output.embed).square().sum();
    };
    std::vector<torch::Tensor> leaves;
    for (const Network::Parameter& parameter : network.parameters())
      leaves.push_back(parameter.value);
    std::vector<torch::Tensor> expected = torch::autograd::grad({objective()}, leaves);
    for (torch::Tensor& part : expected)
      part = (part.dim() == 4 ? part.permute({0, 2, 3, 1}) : part).flatten();
    const torch::Tensor flat = at::cat(expected);
    EXPECT_TRUE(same_bits(network.gradient(), at::zeros_like(flat))) << "grad() leaves it alone";
    objective().backward();
    EXPECT_TRUE(at::allclose(network.gradient(), flat, 1e-5, 1e-6));
    EXPECT_GT(flat.ne(0).to(torch::kFloat32).mean().item<float>(), 0.9);
    objective().backward();
    EXPECT_TRUE(at::allclose(network.gradient(), 2 * flat, 1e-4, 1e-5)) << "backward adds";
  }
}

TEST(Network, IsAsLargeAsItsCheckpointsAreSaidToBe) {
  for (const Loss loss : {Loss::contrastive, Loss::rotation})
    for (const std::int64_t depth : {10, 18, 34})
      for (const std::int64_t head_layers : {0, 1, 3}) {
        Trial trial = full(loss, 0.25);
        trial.depth = depth;
        trial.head_layers = head_layers;
        Network network(trial, torch::kCPU);
        EXPECT_EQ(checkpoint_bytes(trial), static_cast<double>(4 * (2 * network.flat().numel() +
                                                                    network.statistics().numel())))
            << identity(trial);
      }
}

// float32 and float64 take different kernels, whose choice depends on channels and pixels. What is
// summed over all pixels keeps few digits in float32, but a kernel that errs leaves none.
TEST(Network, HasTheSameGradientInFloat32AsInFloat64AtEveryWidthAndSide) {
  for (const double width : {1.0 / 32, 1.0 / 8})
    for (const std::int64_t side : {32, 64}) {
      Trial trial = narrow_trial(Loss::rotation);
      trial.width = width;
      trial.head_layers = 0;  // whose norms over eight rows would enlarge every rounding
      Network single(trial, torch::kCPU), exact(trial, torch::kCPU, torch::kFloat64);
      const torch::Tensor batch = images(8, side);
      for (Network* network : {&single, &exact})
        network->forward(batch, true).logits.select(1, 0).square().sum().backward();
      for (std::size_t i = 0; i < exact.parameters().size(); ++i) {
        const torch::Tensor wanted = exact.parameters()[i].value.grad();
        const torch::Tensor found = single.parameters()[i].value.grad().to(torch::kFloat64);
        EXPECT_LT((found - wanted).norm().item<double>(), 0.05 * wanted.norm().item<double>())
            << exact.parameters()[i].name << ", width " << width << ", side " << side;
      }
    }
}

}  // namespace
}  // namespace occam
