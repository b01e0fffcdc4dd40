#include "worker/evaluate/classifiers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>

#include "experiments/error.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

constexpr double kPi = std::numbers::pi;

torch::Tensor rows(const std::vector<std::vector<float>>& values) {
  const auto columns = static_cast<std::int64_t>(values.front().size());
  torch::Tensor made = at::empty({static_cast<std::int64_t>(values.size()), columns});
  float* entry = made.mutable_data_ptr<float>();
  for (const auto& row : values) entry = std::copy(row.begin(), row.end(), entry);
  return made;
}

// Rows to fit to, and rows to score.
struct Sets {
  torch::Tensor train, test;
  std::vector<double> by(Classifier classifier, const ClassifierParameters& parameters = {}) const {
    return one_class_scores(train, test, {{classifier, parameters}})[0].of_rows;
  }
};

std::vector<std::vector<double>> all_scores(const Sets& sets) {
  std::vector<std::vector<double>> all;
  for (Scores& scores : one_class_scores(sets.train, sets.test,
                                         {{Classifier::nearest, {}},
                                          {Classifier::kde, {}},
                                          {Classifier::gde, {}},
                                          {Classifier::oc_svm_rbf, {}},
                                          {Classifier::oc_svm_linear, {}}}))
    all.push_back(std::move(scores.of_rows));
  return all;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], tolerance) << "row " << i;
}

TEST(OneClassScores, NearestIsTheCosineDistanceToTheClosestTrainRow) {
  const Sets sets{rows({{2, 0}, {0, 3}}), rows({{5, 0}, {1, 1}, {-1, 0}, {-1, -1}})};
  expect_near(sets.by(Classifier::nearest), {0, 1 - std::sqrt(0.5), 1, 1 + std::sqrt(0.5)}, 1e-7);
}

TEST(OneClassScores, NearestOfKIsTheDistanceToTheKthClosestTrainRow) {
  // Angles of train rows 0, 30, 60 and 90 degrees, of the test row 10: 10, 20, 50 and 80 apart.
  const auto row = [](double degrees) {
    const double angle = degrees * 3.14159265358979 / 180;
    return at::tensor({static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
  };
  const Sets sets{at::stack({row(60), row(0), row(90), row(30)}), row(10).unsqueeze(0)};
  const double apart[] = {10, 20, 50, 80};
  for (std::int64_t k = 1; k <= 4; ++k)
    EXPECT_NEAR(sets.by(Classifier::nearest, {.k = k})[0],
                1 - std::cos(apart[k - 1] * 3.14159265358979 / 180), 1e-6)
        << k;
  EXPECT_THROW(sets.by(Classifier::nearest, {.k = 5}), Error);
}

TEST(OneClassScores, NearestIsExactlyZeroForACopyOfATrainRow) {
  const torch::Tensor train = gaussian(300, 37, 1);
  const Sets sets{train, train.flip(0)};
  EXPECT_EQ(sets.by(Classifier::nearest), std::vector<double>(300, 0));
}

TEST(OneClassScores, KdeIsTheLogOfAMeanOverTrainRows) {
  // The four unit train entries are 1, 0, 0, 1: their variance is 1/4, so gamma is scale x 2.
  const Sets sets{rows({{2, 0}, {0, 3}}), rows({{1, 0}, {1, 1}})};
  const double gamma = 6;
  expect_near(sets.by(Classifier::kde, {.gamma_scale = 3}),
              {-std::log(std::exp(2 * gamma) + 1) / gamma,
               -std::log(2 * std::exp(2 * gamma * std::sqrt(0.5))) / gamma},
              1e-6);
}

TEST(OneClassScores, KdeStaysFiniteWhenEveryKernelUnderflows) {
  const Sets sets{rows({{1, 0}, {1, 0.001F}}), rows({{-1, 0}})};
  EXPECT_NEAR(sets.by(Classifier::kde, {.gamma_scale = 1e6})[0], 2, 1e-3);
}

TEST(OneClassScores, GdeIsTheGaussianLogDensity) {
  // Unit rows (1, 0), (0, 1), (-1, 0), (0, -1): mean 0, covariance I/2.
  const Sets sets{rows({{1, 0}, {0, 2}, {-3, 0}, {0, -4}}), rows({{7, 0}, {1, 1}})};
  const double variance = 0.5 + 1e-6;
  const double expected = std::log(2 * kPi) + std::log(variance) + 1 / (2 * variance);
  expect_near(sets.by(Classifier::gde), {expected, expected}, 1e-6);
}

TEST(OneClassScores, GdeWorksWithFewerTrainRowsThanFeatures) {
  const Sets sets{gaussian(20, 100, 1), gaussian(50, 100, 2)};
  for (const double score : sets.by(Classifier::gde)) EXPECT_TRUE(std::isfinite(score));
}

TEST(OneClassScores, GdeOfOneTrainRowIsASphereAroundIt) {
  const Sets sets{rows({{3, 0}}), rows({{1, 0}, {0, 1}})};
  const double least = std::log(2 * kPi) + std::log(1e-6);
  const std::vector<double> scores = sets.by(Classifier::gde);
  EXPECT_NEAR(scores[0], least, 1e-6);
  EXPECT_NEAR(scores[1], least + 1e6, 1);
}

TEST(OneClassScores, OcSvmRbfOfTwoRowsIsTheSumOfTheirKernels) {
  // nu n = 1 and, by symmetry, both alphas are 1/2; gamma is scale x 2.
  const Sets sets{rows({{2, 0}, {0, 3}}), rows({{1, 0}, {1, 1}, {-1, 0}})};
  const double gamma = 0.2;
  const auto kernel = [&](double cosine) { return std::exp(-gamma * (2 - 2 * cosine)); };
  expect_near(
      sets.by(Classifier::oc_svm_rbf, {.gamma_scale = 0.1}),
      {-(kernel(1) + kernel(0)) / 2, -kernel(std::sqrt(0.5)), -(kernel(-1) + kernel(0)) / 2}, 2e-3);
}

TEST(OneClassScores, OcSvmLinearProjectsOnTheNearTrainRows) {
  const Sets sets{rows({{4, 0}, {3, 0}, {2, 0}, {1, 0}}), rows({{5, 9}, {-1, 0}})};
  expect_near(sets.by(Classifier::oc_svm_linear), {-15, 3}, 1e-6);
}

TEST(OneClassScores, NormalisedScoresIgnoreTheScaleOfRows) {
  const torch::Tensor train = gaussian(100, 16, 1), test = gaussian(40, 16, 2);
  const Sets plain{train, test}, scaled{train * 1e-30, test * 1e+30};
  expect_near(scaled.by(Classifier::nearest), plain.by(Classifier::nearest), 1e-5);
  expect_near(scaled.by(Classifier::kde), plain.by(Classifier::kde), 1e-5);
  expect_near(scaled.by(Classifier::gde), plain.by(Classifier::gde), 1e-3);
  expect_near(scaled.by(Classifier::oc_svm_rbf), plain.by(Classifier::oc_svm_rbf), 2e-3);
}

TEST(OneClassScores, ScoresARowWhateverTheOthersAre) {
  const torch::Tensor train = gaussian(3000, 8, 1), test = gaussian(3000, 8, 2);
  const auto together = all_scores({train, test});
  const auto alone = all_scores({train, test.narrow(0, 2990, 10)});
  for (std::size_t c = 0; c < together.size(); ++c)
    expect_near({together[c].end() - 10, together[c].end()}, alone[c], 1e-4);
}

TEST(OneClassScores, GivesTheSameBitsAgain) {
  const torch::Tensor train = gaussian(500, 33, 1), test = gaussian(700, 33, 2);
  EXPECT_EQ(all_scores({train, test}), all_scores({train.clone(), test.clone()}));
}

TEST(OneClassScores, AgreesWithItselfOnTheGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU, or a build without CUDA";
  const torch::Tensor train = gaussian(500, 33, 1), test = gaussian(700, 33, 2);
  const auto cpu = all_scores({train, test});
  const auto gpu = all_scores({train.to(torch::kCUDA), test.to(torch::kCUDA)});
  for (std::size_t c = 0; c < cpu.size(); ++c) expect_near(gpu[c], cpu[c], 5e-3);
}

TEST(OneClassScores, AreThoseOfEachClassifierAlone) {
  // SVMs share the room of their kernels: the same kernel twice, others, and the first one again.
  const std::vector<ChosenClassifier> classifiers{
      {Classifier::oc_svm_rbf, {.nu = 0.3, .gamma_scale = 2}},
      {Classifier::kde, {}},
      {Classifier::oc_svm_rbf, {.nu = 0.6, .gamma_scale = 2}},
      {Classifier::oc_svm_linear, {.nu = 0.3}},
      {Classifier::nearest, {.k = 3}},
      {Classifier::oc_svm_rbf, {.nu = 0.3, .gamma_scale = 5}},
      {Classifier::gde, {}},
      {Classifier::oc_svm_linear, {.nu = 0.6}},
      {Classifier::kde, {.gamma_scale = 2}},
      {Classifier::oc_svm_rbf, {.nu = 0.3, .gamma_scale = 2}}};
  // Test rows of two chunks.
  const Sets sets{gaussian(50, 9, 1), gaussian(1100, 9, 2)};
  const std::vector<Scores> together = one_class_scores(sets.train, sets.test, classifiers);
  ASSERT_EQ(together.size(), classifiers.size());
  std::set<std::vector<double>> different;
  for (std::size_t i = 0; i < classifiers.size(); ++i) {
    EXPECT_EQ(together[i].of_rows, sets.by(classifiers[i].classifier, classifiers[i].parameters))
        << i;
    different.insert(together[i].of_rows);
  }
  EXPECT_EQ(different.size(), classifiers.size() - 1);
}

TEST(OneClassScores, ChargeTheFirstThatNeedsSharedWork) {
  double time = 0;
  const auto scores = one_class_scores(
      gaussian(50, 9, 1), gaussian(1100, 9, 2), {{Classifier::kde, {}}, {Classifier::nearest, {}}},
      [&] { time += 100; }, [&] { return ++time; });
  // A second from each look at the clock to the next, and the callback's time after a fit (two
  // times) or a chunk (but the last): whoever comes next pays.
  EXPECT_EQ(scores[0].seconds, 3 + 2 * 100);
  EXPECT_EQ(scores[1].seconds, 3 + 1 * 100);
}

TEST(OneClassScores, SayEveryPartOfTheWorkAndStopWhereTheCallerThrows) {
  int parts = 0;
  const auto score = [&](int most) {
    one_class_scores(gaussian(50, 9, 1), gaussian(1100, 9, 2),
                     {{Classifier::oc_svm_rbf, {}}, {Classifier::kde, {}}}, [&] {
                       if (++parts == most) throw 1;
                     });
  };
  score(0);
  EXPECT_EQ(parts, 4) << "two fits and two chunks of rows";
  for (const int most : {1, 4}) {
    parts = 0;
    EXPECT_THROW(score(most), int);
  }
}

TEST(OneClassScores, RefuseRotationScoresWhichReadNoFeatures) {
  EXPECT_THROW((Sets{gaussian(5, 3, 1), gaussian(5, 3, 2)}.by(Classifier::rotation)),
               std::logic_error);
}

TEST(OneClassScores, IsFiniteOnZeroRowsCopiesAndConstantColumns) {
  torch::Tensor train = gaussian(60, 10, 1), test = gaussian(30, 10, 2);
  train.narrow(0, 0, 5).zero_();
  test.narrow(0, 0, 5).zero_();
  train.narrow(0, 5, 20).copy_(train[5].expand({20, 10}));
  train.select(1, 3).fill_(2);
  train.narrow(0, 0, 2).zero_();
  for (const auto& scores : all_scores({train, test}))
    for (const double score : scores) EXPECT_TRUE(std::isfinite(score));
}

TEST(OneClassScores, TakesARowOfZerosForOrthogonalToAll) {
  const Sets sets{rows({{1, 0}, {0, 1}}), rows({{0, 0}})};
  EXPECT_EQ(sets.by(Classifier::nearest)[0], 1);
  EXPECT_NEAR(sets.by(Classifier::kde)[0], -std::log(2) / 20, 1e-6);
  EXPECT_NEAR(sets.by(Classifier::oc_svm_rbf, {.gamma_scale = 0.1})[0], -std::exp(-0.2), 1e-6);
}

TEST(OneClassScores, WorksOnOneTrainRowAndOnOneFeature) {
  for (const auto& scores : all_scores({rows({{1, 2}}), rows({{1, 2}, {2, 1}})})) {
    EXPECT_TRUE(std::isfinite(scores[0]));
    EXPECT_LT(scores[0], scores[1] + 10);
  }
  for (const auto& scores : all_scores({rows({{1}, {2}, {3}}), rows({{4}, {-1}})}))
    EXPECT_LT(scores[0], scores[1]);
}

TEST(OneClassScores, TellsNearlyEqualRowsApart) {
  // Cosines of these rows differ by 1e-9, less than float32 can hold.
  const torch::Tensor direction = gaussian(1, 64, 1);
  const torch::Tensor train = direction + 1e-5 * gaussian(400, 64, 2);
  const torch::Tensor near = direction + 1e-5 * gaussian(50, 64, 3);
  const torch::Tensor far = direction + 5e-5 * gaussian(50, 64, 4);
  for (const auto& scores : {Sets{train, at::cat({near, far})}.by(Classifier::nearest),
                             Sets{train, at::cat({near, far})}.by(Classifier::kde)})
    EXPECT_LT(*std::max_element(scores.begin(), scores.begin() + 50),
              *std::min_element(scores.begin() + 50, scores.end()));
}

TEST(OneClassScores, NamesTheRowThatIsNotFinite) {
  torch::Tensor test = gaussian(4, 3, 1);
  test[2][1] = std::numeric_limits<float>::quiet_NaN();
  try {
    all_scores({gaussian(5, 3, 2), test});
    FAIL() << "took a NaN";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("test row 2"), std::string::npos) << error.what();
  }
  test[2][1] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(all_scores({test, gaussian(5, 3, 2)}), Error);
  EXPECT_THROW(all_scores({at::empty({0, 3}), gaussian(5, 3, 2)}), Error);
}

TEST(OneClassScores, ScoresNoTestRowsWithoutComplaint) {
  for (const auto& scores : all_scores({gaussian(20, 4, 1), at::empty({0, 4})}))
    EXPECT_TRUE(scores.empty());
}

TEST(KernelGamma, IsTheScaleOverFeaturesTimesVariance) {
  EXPECT_DOUBLE_EQ(kernel_gamma(rows({{1, 0}, {0, 1}}), 10), 20);
  // (0.6, 0.8): variance 0.01.
  EXPECT_NEAR(kernel_gamma(rows({{0.6F, 0.8F}}), 1), 50, 1e-4);
}

TEST(KernelGamma, IsTheScaleItselfWithoutVariance) {
  EXPECT_EQ(kernel_gamma(at::full({9, 3}, 1 / std::sqrt(3.0F)), 10), 10);
  EXPECT_EQ(kernel_gamma(rows({{0.57735026F, 0.57735032F, 0.57735026F}}), 10), 10);
  EXPECT_EQ(kernel_gamma(at::zeros({2, 2}), 7), 7);
}

TEST(RotationScores, AreThoseOfTheProbabilitiesByHand) {
  torch::Tensor probabilities = at::full({2, 4, 4}, 0.1);
  probabilities.select(0, 0).diagonal().fill_(0.7);
  probabilities.select(0, 1).diagonal().copy_(at::tensor({0.2, 0.5, 0.5, 0.5}));
  expect_near(rotation_upright_scores(probabilities.log()), {0.3, 0.8}, 1e-6);
  expect_near(rotation_upright_scores(probabilities.log().select(1, 0)), {0.3, 0.8}, 1e-6);
  expect_near(rotation_scores(probabilities.log()),
              {-4 * std::log(0.7), -std::log(0.2) - 3 * std::log(0.5)}, 1e-6);
}

TEST(RotationScores, TellCertainPredictionsApart) {
  const torch::Tensor logs = at::full({2, 4, 4}, -1e-12, torch::kDouble);
  logs[1].mul_(2);
  EXPECT_LT(rotation_scores(logs)[0], rotation_scores(logs)[1]);
  EXPECT_LT(rotation_upright_scores(logs)[0], rotation_upright_scores(logs)[1]);
}

}  // namespace
}  // namespace occam
