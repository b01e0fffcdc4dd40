// The scores against those of scikit-learn and of libsvm (scores_oracle.py), on features made here.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/temporary_folder.h"
#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/metrics.h"
#include "worker/evaluate/npy.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

struct FeatureSet {
  torch::Tensor train, test;
  std::vector<std::uint8_t> is_outlier;
};

// Random features of one shape: drawn in one order from one seed.
class Source {
 public:
  explicit Source(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}
  torch::Tensor normal(std::int64_t rows, std::int64_t columns) {
    return at::randn({rows, columns}, generator_, torch::kFloat);
  }
  torch::Tensor choices(std::int64_t count, std::int64_t below) {
    return at::randint(below, {count}, generator_, torch::kInt64);
  }

 private:
  at::Generator generator_;
};

FeatureSet feature_set(const torch::Tensor& train, const torch::Tensor& inliers,
                       const torch::Tensor& outliers) {
  FeatureSet set{train, at::cat({inliers, outliers}), {}};
  set.is_outlier.assign(static_cast<std::size_t>(inliers.size(0)), 0);
  set.is_outlier.resize(static_cast<std::size_t>(set.test.size(0)), 1);
  return set;
}

FeatureSet blobs() {
  Source source(1);
  const torch::Tensor centre = source.normal(1, 20);
  const torch::Tensor shift = 0.4 * source.normal(1, 20);
  return feature_set(centre + source.normal(400, 20), centre + source.normal(300, 20),
                     centre + shift + 1.2 * source.normal(300, 20));
}

FeatureSet clusters() {
  Source source(2);
  const torch::Tensor centres = source.normal(6, 16);
  const torch::Tensor strangers = centres.narrow(0, 0, 3) + 0.8 * source.normal(3, 16);
  const auto around = [&](const torch::Tensor& some, std::int64_t rows) {
    return some.index_select(0, source.choices(rows, some.size(0))) + 1.5 * source.normal(rows, 16);
  };
  return feature_set(around(centres, 500), around(centres, 400), around(strangers, 200));
}

FeatureSet quantised() {
  Source source(3);
  const auto levels = [&](std::int64_t rows, double spread) {
    return (spread * source.normal(rows, 5)).round().clamp(-2, 2) + 3;
  };
  return feature_set(levels(300, 0.7), levels(300, 0.7), levels(300, 1.1));
}

FeatureSet low_rank() {
  Source source(4);
  const torch::Tensor basis = source.normal(5, 64);
  const auto mixed = [&](std::int64_t rows, double shift) {
    return (source.normal(rows, 5) + shift).matmul(basis);
  };
  return feature_set(mixed(300, 0.5), mixed(200, 0.5), mixed(200, 0));
}

FeatureSet fewer_rows_than_features() {
  Source source(5);
  const torch::Tensor mean = source.normal(1, 200);
  return feature_set(mean + source.normal(80, 200), mean + source.normal(150, 200),
                     0.9 * mean + source.normal(150, 200));
}

FeatureSet sparse_as_after_relu() {
  Source source(6);
  const torch::Tensor mixing = source.normal(40, 512), other = source.normal(40, 512);
  const auto activations = [&](const torch::Tensor& mix, std::int64_t rows) {
    return (source.normal(rows, 40).matmul(mix) - 4 + source.normal(rows, 512)).relu();
  };
  return feature_set(activations(mixing, 600), activations(mixing, 400),
                     activations(mixing + 0.4 * other, 400));
}

FeatureSet with_constant_columns() {
  FeatureSet set = blobs();
  for (torch::Tensor* part : {&set.train, &set.test}) {
    part->narrow(1, 3, 2).fill_(0);
    part->narrow(1, 9, 1).fill_(2.5);
  }
  return set;
}

// Every train row four times, and half of the inliers copies of train rows.
FeatureSet with_copies() {
  Source source(9);
  const torch::Tensor rows = source.normal(60, 12) + 1;
  return feature_set(rows.repeat({4, 1}),
                     at::cat({rows.narrow(0, 0, 50), source.normal(50, 12) + 1}),
                     source.normal(100, 12) + 0.8);
}

// Near enough that no kernel underflows to a tie.
FeatureSet one_train_row() {
  Source source(10);
  const torch::Tensor centre = 4 * source.normal(1, 20);
  return feature_set(centre + source.normal(1, 20), centre + source.normal(100, 20),
                     centre + 1.3 * source.normal(100, 20));
}

FeatureSet nearly_collapsed() {
  Source source(7);
  const torch::Tensor point = source.normal(1, 32).abs();
  return feature_set(point + 0.001 * source.normal(300, 32), point + 0.001 * source.normal(200, 32),
                     point + 0.0012 * source.normal(200, 32));
}

std::vector<double> scores_of(const FeatureSet& set, Classifier classifier,
                              const ClassifierParameters& parameters = {}) {
  return one_class_scores(set.train, set.test, {{classifier, parameters}})[0].of_rows;
}

std::string quoted(const std::string& word) { return "'" + word + "'"; }

// An interpreter that imports the module, beside scikit-learn.
std::optional<std::string> python_with(const std::string& module) {
  const char* named = std::getenv("OCCAM_PYTHON");
  for (const std::string& python :
       {std::string(named ? named : ""), std::string("/usr/bin/python3"), std::string("python3")})
    if (!python.empty() &&
        std::system(
            (quoted(python) + " -c 'import sklearn, " + module + "' >/dev/null 2>&1").c_str()) == 0)
      return python;
  return std::nullopt;
}

nlohmann::json oracle(const std::string& python, const fs::path& folder,
                      const std::string& which = "") {
  const std::string command = quoted(python) + " " +
                              quoted(OCCAM_SOURCE_DIR "/tests/worker/scores_oracle.py") + " " +
                              quoted(folder.string()) + " " + which;
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), count);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return nlohmann::json::parse(text);
}

// The files that scores_oracle.py reads, named as a worker keeps them.
void export_features(const fs::path& folder, const FeatureSet& set) {
  write_npy(folder / "train.pool.npy", set.train);
  write_npy(folder / "test.pool.npy", set.test);
  write_npy(folder / "test.is_outlier.npy", at::tensor(set.is_outlier, torch::kUInt8));
}

// A set of features and how it is called.
struct Case {
  std::string name;
  FeatureSet (*make)();
};
void PrintTo(const Case& test_case, std::ostream* to) { *to << test_case.name; }

class ScoresAgainstSklearn : public testing::TestWithParam<Case> {};

// Where a test cannot run: what would have let it.
const char* const kNoPython =
    "no Python that imports sklearn: install Debian's package python3-sklearn, or name an "
    "interpreter in OCCAM_PYTHON";

TEST_P(ScoresAgainstSklearn, AgreeOnEveryClassifier) {
  const std::optional<std::string> python = python_with("numpy");
  if (!python) GTEST_SKIP() << kNoPython;
  const FeatureSet set = GetParam().make();
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  export_features(folder, set);
  const nlohmann::json expected = oracle(*python, folder);
  for (const Classifier classifier : {Classifier::nearest, Classifier::kde, Classifier::gde,
                                      Classifier::oc_svm_rbf, Classifier::oc_svm_linear}) {
    const std::string name = to_string(classifier);
    const Metrics found = rate(scores_of(set, classifier), set.is_outlier);
    const nlohmann::json& theirs = expected.at(name);
    EXPECT_NEAR(found.auroc, theirs.at("auroc").get<double>(), 1e-4) << name;
    EXPECT_NEAR(found.average_precision, theirs.at("average_precision").get<double>(), 1e-3)
        << name;
    EXPECT_NEAR(found.fpr95, theirs.at("fpr95").get<double>(), 0.01) << name;
    EXPECT_GT(found.auroc, 0.02) << name;  // features that tell something
    EXPECT_LT(found.auroc, 0.98) << name;
  }
  // Quantised features tie at the fifth place, and float32 tells some of those ties apart: both
  // sides are compared to five digits.
  std::vector<double> fifth =
      scores_of(set, Classifier::nearest, {.k = std::min<std::int64_t>(5, set.train.size(0))});
  for (double& score : fifth) score = std::round(1e5 * score);
  EXPECT_NEAR(rate(fifth, set.is_outlier).auroc,
              expected.at("nearest, k 5").at("auroc").get<double>(), 1e-4);
}

TEST_P(ScoresAgainstSklearn, AgreeWithLibsvmItself) {
  const std::optional<std::string> python = python_with("svmutil");
  if (!python) GTEST_SKIP() << kNoPython << "; libsvm is in python3-libsvm";
  const FeatureSet set = GetParam().make();
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  export_features(folder, set);
  const nlohmann::json expected = oracle(*python, folder, "libsvm");
  for (const Classifier classifier : {Classifier::oc_svm_rbf, Classifier::oc_svm_linear}) {
    const std::string name = to_string(classifier);
    EXPECT_NEAR(rate(scores_of(set, classifier), set.is_outlier).auroc,
                expected.at(name).at("auroc").get<double>(), 1e-4)
        << name;
  }
}

TEST(MetricsAgainstSklearn, AgreeToTheLastDigitsOnScoresThatTie) {
  const std::optional<std::string> python = python_with("numpy");
  if (!python) GTEST_SKIP() << kNoPython;
  const FeatureSet set = blobs();
  Source source(8);
  for (const double levels : {1.0, 3.0, 1e6}) {
    const torch::Tensor drawn =
        (levels * (source.normal(600, 1) + at::arange(600).ge(300).unsqueeze(1))).round().flatten();
    const std::vector<double> scores(drawn.const_data_ptr<float>(),
                                     drawn.const_data_ptr<float>() + 600);
    const TemporaryFolder temporary;
    const fs::path& folder = temporary.path();
    export_features(folder, set);
    std::ofstream(folder / "scores.json") << nlohmann::json(scores);
    const nlohmann::json expected = oracle(*python, folder).at("given");
    const Metrics found = rate(scores, set.is_outlier);
    EXPECT_NEAR(found.auroc, expected.at("auroc").get<double>(), 1e-12);
    EXPECT_NEAR(found.average_precision, expected.at("average_precision").get<double>(), 1e-12);
    EXPECT_NEAR(found.fpr95, expected.at("fpr95").get<double>(), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Features, ScoresAgainstSklearn,
                         testing::Values(Case{"Blobs", blobs}, Case{"Clusters", clusters},
                                         Case{"Quantised", quantised}, Case{"LowRank", low_rank},
                                         Case{"FewerRowsThanFeatures", fewer_rows_than_features},
                                         Case{"SparseAsAfterRelu", sparse_as_after_relu},
                                         Case{"NearlyCollapsed", nearly_collapsed},
                                         Case{"WithConstantColumns", with_constant_columns},
                                         Case{"WithCopies", with_copies},
                                         Case{"OneTrainRow", one_train_row}),
                         [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace occam
