#include "experiments/evaluation.h"

#include "tests/experiments/sample.h"

namespace occam {
namespace {

TEST(ParametersText, HoldsWhatTheClassifierUsesAndWhatDiffersFromTheDefault) {
  const auto text = [](Classifier classifier, ClassifierParameters parameters) {
    return parameters_text({Features::pool, classifier, parameters});
  };
  EXPECT_EQ(text(Classifier::oc_svm_rbf, {}), "{}");
  EXPECT_EQ(text(Classifier::oc_svm_rbf, {0.1, 1, 100}),
            R"({"gamma_scale":1,"nu":0.1,"test_limit":100})");
  EXPECT_EQ(text(Classifier::oc_svm_linear, {0.1, 1, 0}), R"({"nu":0.1})");
  EXPECT_EQ(text(Classifier::kde, {0.1, 2.5, 0}), R"({"gamma_scale":2.5})");
  EXPECT_EQ(text(Classifier::gde, {0.1, 1, 7}), R"({"test_limit":7})");
  EXPECT_EQ(text(Classifier::nearest, {.k = 1}), "{}");
  EXPECT_EQ(text(Classifier::nearest, {.nu = 0.1, .test_limit = 7, .k = 5}),
            R"({"k":5,"test_limit":7})");
}

TEST(Request, ComesBackFromItsJson) {
  const EvaluationRequest request{Features::embed, Classifier::oc_svm_rbf, {0.25, 3, 50}};
  EXPECT_EQ(request_from_json(to_json(request)), request);
  EXPECT_EQ(
      request_from_json(nlohmann::json::parse(R"({"features": "pool", "classifier": "kde"})")),
      (EvaluationRequest{Features::pool, Classifier::kde, {}}));
}

TEST(Request, ComesBackWithItsSplitAndNeighbours) {
  const EvaluationRequest request{Features::pool, Classifier::nearest, {.k = 3}, Split::validation};
  EXPECT_EQ(request_from_json(to_json(request)), request);
  EXPECT_EQ(to_json(request)["split"], "validation");
  EXPECT_FALSE(to_json({Features::pool, Classifier::kde, {}}).contains("split"));
}

TEST(Applies, HoldsRotationScoresToRotation) {
  const EvaluationRequest rotation{Features::logit, Classifier::rotation, {}};
  EXPECT_TRUE(applies(rotation, trial(R"({"loss": "rotation"})")));
  EXPECT_FALSE(applies(rotation, trial(R"({})")));
}

TEST(Applies, NeedsAHeadForTheEmbeddingOfARotationNetwork) {
  const EvaluationRequest embed{Features::embed, Classifier::kde, {}};
  EXPECT_TRUE(applies(embed, trial(R"({"loss": "rotation"})")));
  EXPECT_FALSE(applies(embed, trial(R"({"loss": "rotation", "head_layers": 0})")));
  EXPECT_TRUE(applies(embed, trial(R"({"head_layers": 0})")));
}

TEST(Applicable, KeepsTheOrderOfTheRequests) {
  const std::vector<EvaluationRequest> requests{{Features::logit, Classifier::rotation, {}},
                                                {Features::pool, Classifier::kde, {}},
                                                {Features::pixels, Classifier::kde, {}}};
  EXPECT_EQ(applicable(requests, trial(R"({})")),
            (std::vector<EvaluationRequest>{requests[1], requests[2]}));
  EXPECT_EQ(applicable(requests, trial(R"({"loss": "rotation"})")), requests);
}

TEST(Applicable, AsksForBothSplitsOfATrialWithValidation) {
  const std::vector<EvaluationRequest> requests{{Features::logit, Classifier::rotation, {}},
                                                {Features::pool, Classifier::kde, {}},
                                                {Features::pixels, Classifier::kde, {}}};
  EvaluationRequest pool = requests[1], pixels = requests[2];
  pool.split = pixels.split = Split::validation;
  EXPECT_EQ(applicable(requests, trial(R"({"validation": true})")),
            (std::vector<EvaluationRequest>{requests[1], requests[2], pool, pixels}));
}

}  // namespace
}  // namespace occam
