#include "worker/evaluate/evaluate.h"

#include <gtest/gtest.h>

#include "experiments/error.h"
#include "tests/message_of.h"
#include "tests/worker/sample.h"
#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/extract.h"
#include "worker/evaluate/metrics.h"

namespace occam {
namespace {

OneClassData data() {
  const torch::Tensor images = byte_images(140, 1, 16);
  OneClassData made{images.narrow(0, 0, 60), {images.narrow(0, 60, 80), {}, {}}, {}};
  for (int i = 0; i < 80; ++i) {
    made.test.is_outlier.push_back(i % 4 != 0);
    made.test.rows.push_back(i);
  }
  return made;
}

std::unique_ptr<Network> network(Loss loss) {
  torch::NoGradGuard no_gradient;
  auto made = std::make_unique<Network>(narrow_trial(loss), torch::kCPU);
  made->forward(network_input(byte_images(16, 1, 16)), true);
  return made;
}

void ignore(std::int64_t) {}

// The whole of it: features of a network, then scores.
std::vector<Evaluation> evaluate(Network& network, const OneClassData& data,
                                 const std::vector<EvaluationRequest>& requests,
                                 const std::function<void(std::int64_t)>& on_images) {
  std::vector<Evaluation> found;
  for (ScoredRequest& one :
       evaluate(extract_all(network, data, 1, requests, on_images), requests, ignore))
    found.push_back(one.evaluation);
  return found;
}

TEST(Evaluate, AnswersEveryRequestInOrder) {
  const auto rotation = network(Loss::rotation);
  std::vector<EvaluationRequest> requests;
  for (const Features features : {Features::pool, Features::embed, Features::pixels})
    for (const Classifier classifier : {Classifier::kde, Classifier::gde, Classifier::nearest,
                                        Classifier::oc_svm_rbf, Classifier::oc_svm_linear})
      requests.push_back({features, classifier, {}});
  requests.push_back({Features::logit, Classifier::rotation, {}});
  requests.push_back({Features::logit, Classifier::rotation_upright, {}});
  const std::vector<Evaluation> found = evaluate(*rotation, data(), requests, ignore);
  ASSERT_EQ(found.size(), requests.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].request, requests[i]);
    EXPECT_EQ(found[i].outliers, 60);
    EXPECT_EQ(found[i].inliers, 20);
    EXPECT_GT(found[i].auroc, 0.1);
    EXPECT_LT(found[i].auroc, 0.9);
  }
}

TEST(Evaluate, ScoresTheFeaturesThatWereAskedFor) {
  const auto rotation = network(Loss::rotation);
  const OneClassData rows = data();
  const ExtractedFeatures train = extract(*rotation, rows.train, false, ignore);
  const ExtractedFeatures test = extract(*rotation, rows.test.images, true, ignore);
  const auto auroc = [&](const std::vector<double>& scores) {
    return rate(scores, rows.test.is_outlier).auroc;
  };
  const auto kde = [&](const torch::Tensor& fitted, const torch::Tensor& scored, double scale) {
    return auroc(
        one_class_scores(fitted, scored, {{Classifier::kde, {.gamma_scale = scale}}})[0].of_rows);
  };
  const auto found = evaluate(*rotation, rows,
                              {{Features::pool, Classifier::kde, {}},
                               {Features::embed, Classifier::kde, {}},
                               {Features::pixels, Classifier::kde, {}},
                               {Features::logit, Classifier::rotation, {}},
                               {Features::logit, Classifier::rotation_upright, {}},
                               {Features::pool, Classifier::kde, {.gamma_scale = 1}}},
                              ignore);
  EXPECT_EQ(found[0].auroc, kde(train.pool, test.pool, 10));
  EXPECT_EQ(found[1].auroc, kde(train.embed, test.embed, 10));
  EXPECT_EQ(found[2].auroc, kde(pixel_features(rows.train), pixel_features(rows.test.images), 10));
  EXPECT_EQ(found[3].auroc, auroc(rotation_scores(test.logit)));
  EXPECT_EQ(found[4].auroc, auroc(rotation_upright_scores(test.logit.select(1, 0))));
  EXPECT_EQ(found[5].auroc, kde(train.pool, test.pool, 1));
}

// The rotation score is 1 - prod_k p(k | image turned k times); upright reads p(0 | image) alone.
TEST(Evaluate, OfRotationMultipliesTheProbabilitiesOfTheTurns) {
  const auto rotation = network(Loss::rotation);
  const OneClassData rows = data();
  const torch::Tensor p = extract(*rotation, rows.test.images, true, ignore).logit.exp();
  std::vector<double> product, upright;
  for (std::int64_t i = 0; i < rows.test.images.size(0); ++i) {
    double all = 1;
    for (int k = 0; k < 4; ++k) all *= p[i][k][k].item<double>();
    product.push_back(1 - all);
    upright.push_back(1 - p[i][0][0].item<double>());
  }
  const auto found = evaluate(*rotation, rows,
                              {{Features::logit, Classifier::rotation, {}},
                               {Features::logit, Classifier::rotation_upright, {}}},
                              ignore);
  EXPECT_NEAR(found[0].auroc, rate(product, rows.test.is_outlier).auroc, 1e-9);
  EXPECT_NEAR(found[1].auroc, rate(upright, rows.test.is_outlier).auroc, 1e-9);
}

TEST(Evaluate, WithATestLimitScoresTheFirstRows) {
  const auto contrastive = network(Loss::contrastive);
  OneClassData rows = data();
  const auto limited = evaluate(*contrastive, rows,
                                {{Features::pool, Classifier::kde, {.test_limit = 40}},
                                 {Features::pool, Classifier::kde, {}},
                                 {Features::pool, Classifier::kde, {.test_limit = 1000}}},
                                ignore);
  EXPECT_EQ(limited[0].outliers + limited[0].inliers, 40);
  EXPECT_EQ(limited[1].outliers + limited[1].inliers, 80);
  EXPECT_EQ(limited[2].auroc, limited[1].auroc);
  rows.test.images = rows.test.images.narrow(0, 0, 40);
  rows.test.is_outlier.resize(40);
  rows.test.rows.resize(40);
  EXPECT_EQ(evaluate(*contrastive, rows, {{Features::pool, Classifier::kde, {}}}, ignore)[0].auroc,
            limited[0].auroc);
}

TEST(Evaluate, CountsImagesAndPartsWithoutEverStandingStill) {
  const auto rotation = network(Loss::rotation);
  const std::vector<EvaluationRequest> requests{{Features::pool, Classifier::kde, {}},
                                                {Features::logit, Classifier::rotation, {}}};
  std::vector<std::int64_t> images, parts;
  const TrialFeatures features =
      extract_all(*rotation, data(), 1, requests, [&](std::int64_t n) { images.push_back(n); });
  EXPECT_EQ(images, (std::vector<std::int64_t>{60, 140}));
  evaluate(features, requests, [&](std::int64_t n) { parts.push_back(n); });
  EXPECT_EQ(parts, (std::vector<std::int64_t>{1, 2, 3})) << "a fit, the rows, the rotation score";
}

TEST(Evaluate, ScoresWhatValidationHoldsOutAsASplitOfItsOwn) {
  const auto contrastive = network(Loss::contrastive);
  OneClassData rows = data();
  rows.validation = {byte_images(30, 1, 16).flip(0), {}, {}};
  for (int i = 0; i < 30; ++i) {
    rows.validation.is_outlier.push_back(i % 2);
    rows.validation.rows.push_back(100 + i);
  }
  const EvaluationRequest test{Features::pool, Classifier::kde, {.test_limit = 40}};
  EvaluationRequest validation = test;
  validation.split = Split::validation;
  const auto found = evaluate(*contrastive, rows, {test, validation}, ignore);
  EXPECT_EQ(found[0].outliers + found[0].inliers, 40);
  EXPECT_EQ(found[1].outliers, 15) << "test_limit is of the test set";
  EXPECT_EQ(found[1].inliers, 15);
  OneClassData as_test = rows;
  as_test.test = rows.validation;
  EXPECT_EQ(
      found[1].auroc,
      evaluate(*contrastive, as_test, {{Features::pool, Classifier::kde, {}}}, ignore)[0].auroc);
}

TEST(FitImages, AreAllUpToTheReleasedLimitAndThenADrawOfTheSeed) {
  const torch::Tensor few = at::arange(20'000).view({-1, 1, 1, 1});
  EXPECT_TRUE(same_bits(fit_images(few, 1), few));
  const torch::Tensor many = at::arange(20'007).view({-1, 1, 1, 1});
  const torch::Tensor some = fit_images(many, 1).flatten();
  EXPECT_EQ(some.numel(), 20'000);
  EXPECT_TRUE((some.diff() > 0).all().item<bool>()) << "each once, in the data's order";
  EXPECT_TRUE(same_bits(fit_images(many, 1).flatten(), some));
  EXPECT_FALSE(same_bits(fit_images(many, 2).flatten(), some));
}

TEST(Evaluate, IsGivenUpWhenTheCallerThrows) {
  const auto rotation = network(Loss::rotation);
  EXPECT_THROW(evaluate(*rotation, data(), {{Features::pool, Classifier::kde, {}}},
                        [](std::int64_t) { throw 1; }),
               int);
}

TEST(Evaluate, OfNothingIsNothing) {
  const auto rotation = network(Loss::rotation);
  EXPECT_TRUE(evaluate(*rotation, data(), {}, ignore).empty());
}

TEST(Evaluate, RefusesFeaturesThatAreNotFinite) {
  const auto rotation = network(Loss::rotation);
  rotation->flat().narrow(0, 0, 64).fill_(std::numeric_limits<float>::quiet_NaN());
  for (const EvaluationRequest& request :
       {EvaluationRequest{Features::pool, Classifier::nearest, {}},
        EvaluationRequest{Features::logit, Classifier::rotation, {}}})
    EXPECT_THROW(evaluate(*rotation, data(), {request}, ignore), Error);
}

TEST(Evaluate, RefusesAKernelThatIsTooNarrowForAnyRowButNotFeaturesThatAreAllTheSame) {
  const auto contrastive = network(Loss::contrastive);
  const EvaluationRequest narrow{Features::pixels, Classifier::oc_svm_rbf, {.gamma_scale = 1e6}};
  const std::string problem = message_of([&] { evaluate(*contrastive, data(), {narrow}, ignore); });
  EXPECT_EQ(problem.substr(0, problem.find(", 0:")),
            "pixels, oc-svm-rbf: with {\"gamma_scale\":1e+06} all scores are the same");
  OneClassData same = data();
  same.train = at::full_like(same.train, 7);
  same.test.images = at::full_like(same.test.images, 7);
  EXPECT_EQ(evaluate(*contrastive, same, {narrow}, ignore)[0].auroc, 0.5);
}

}  // namespace
}  // namespace occam
