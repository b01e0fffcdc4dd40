#include <gmock/gmock.h>

#include <algorithm>

#include "tests/experiments/sample.h"

namespace occam {
namespace {

const std::string kStart =
    "{\"name\": \"x\", \"trial\": {\"dataset\": \"synthetic\", \"class\": 0, \"epochs\": 5},\n";

// The values of some fields of every trial, "16 contrastive".
std::vector<std::string> values(const Expansion& all, const std::vector<std::string>& fields) {
  std::vector<std::string> lines;
  for (const PlannedTrial& planned : all.trials) {
    std::vector<std::string> words;
    for (const std::string& field : fields) {
      const auto value = value_of(planned.trial, field);
      words.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    }
    lines.push_back(joined(words, " "));
  }
  return lines;
}
std::vector<std::string> variants(const Expansion& all) {
  std::vector<std::string> names;
  for (const PlannedTrial& planned : all.trials) names.push_back(all.variants[planned.variant]);
  return names;
}
using Words = std::vector<std::string>;

TEST(Expand, TellsEachDoubtAboutATrainingOnce) {
  const Expansion expansion = expand(parsed(R"({"name": "x", "trial": {"dataset": "synthetic"},
"grid": {"class": "all", "loss": ["rotation", "contrastive"], "distribution_augmentation": "rotation"},
"evaluate": {"classifiers": ["kde"]}})"));
  EXPECT_EQ(expansion.trials.size(), 8);
  ASSERT_EQ(expansion.warnings.size(), 1);
  EXPECT_NE(expansion.warnings[0].find("gives it each image in several of them\n  in {"),
            std::string::npos)
      << expansion.warnings[0];
}

TEST(Expand, GivesOneTrialWithoutAxes) {
  const Expansion all = expansion(kStart + "\"grid\": {}}");
  ASSERT_EQ(all.trials.size(), 1U);
  EXPECT_EQ(id_of(all.trials[0].trial), id_of(trial(R"({"dataset": "synthetic", "epochs": 5})")));
  EXPECT_EQ(all.evaluations.at(all.trials[0].evaluations), default_evaluations());
  EXPECT_EQ(variants(all), Words{""});
}

TEST(Expand, RefusesATrialToWhichNoScoreApplies) {
  const std::string said = refusal(
      kStart + "\"grid\": {\"loss\": [\"rotation\", \"contrastive\"], \"seed\": [1, 2]},\n" +
      R"("evaluate": {"classifiers": ["rotation"]}})");
  EXPECT_THAT(said, testing::StartsWith("spec.json:3: evaluate: none of the scores asked for "
                                        "(rotation) applies to 2 trials, such as {"));
  EXPECT_THAT(said, testing::HasSubstr("\"loss\":\"contrastive\""));
  EXPECT_THAT(said, testing::HasSubstr("features pool with kde"));
}

TEST(Expand, RefusesNeighboursThatNoTrainRowIs) {
  const auto of = [](const std::string& k) {
    const std::string start =
        R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0, "batch_size": 8, "epochs": 5},
"grid": {"train_limit": [40]}, "evaluate": {"classifiers": ["kde", {"name": "nearest", "k": [1, )";
    return start + k + "]}]}}";
  };
  EXPECT_EQ(expansion(of("40")).trials.size(), 1U);
  EXPECT_THAT(refusal(of("41")),
              testing::AllOf(testing::StartsWith("spec.json:2: evaluate: nearest with k 41 has no "
                                                 "such neighbour among the 40 train rows"),
                             testing::HasSubstr("\"train_limit\":40")));
  EXPECT_THAT(refusal(R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0, "epochs": 5},
"blocks": [{"grid": {"seed": [1]}, "evaluate": {"classifiers": ["kde"]}},
{"grid": {"seed": [2]},
"evaluate": {"classifiers": [{"name": "nearest", "k": 5000}]}}]})"),
              testing::StartsWith("spec.json:4: blocks[1].evaluate: nearest with k 5000"))
      << "where the block says it";
}

TEST(Expand, CountsTheScoresOfAllBlocksThatNameATrial) {
  const std::string both = kStart + R"("blocks": [
    {"evaluate": {"classifiers": ["rotation"]}}, {"evaluate": {"classifiers": ["kde"]}}]})";
  EXPECT_EQ(expansion(both).trials.size(), 1U);
  EXPECT_THAT(refusal(kStart + R"("blocks": [
    {"evaluate": {"classifiers": ["kde"]}},
    {"trial": {"seed": 2}, "evaluate": {"classifiers": ["rotation"]}}]})"),
              testing::StartsWith("spec.json:4: blocks[1].evaluate: "));
}

TEST(Expand, RefusesMoreCombinationsThanAnySweepHas) {
  std::string grid;
  for (const char* field : {"seed", "head_width", "embedding", "train_limit"}) {
    grid += (grid.empty() ? "\"" : ", \"") + std::string(field) + "\": [1";
    for (int i = 2; i <= 100; ++i) grid += "," + std::to_string(i);
    grid += "]";
  }
  EXPECT_EQ(refusal(kStart + "\"grid\": {" + grid + "}}"),
            "spec.json:1: its axes make some 1e+08 combinations; a sweep can have 1e+07");
}

TEST(Expand, RanksTheSeedsOfEveryCellInTheFilesOrder) {
  const Expansion all = expansion(kStart + R"("grid": {"seed": [7, 3], "batch_size": [16, 32]}})");
  EXPECT_EQ(seed_ranks(all), (std::vector<std::int64_t>{0, 0, 1, 1}));
}

TEST(Expand, MultipliesTheAxesInTheFilesOrderTheLastFastest) {
  const Expansion all = expansion(kStart + R"("grid": {"batch_size": [64, 16], "seed": [2, 1]}})");
  EXPECT_EQ(values(all, {"batch_size", "seed"}), (Words{"64 2", "64 1", "16 2", "16 1"}));
}

TEST(Expand, LetsAnAxisReplaceWhatAllShare) {
  EXPECT_EQ(values(expansion(kStart + R"("grid": {"epochs": [1, 0]}})"), {"epochs"}),
            (Words{"1", "0"}));
}

TEST(Expand, MovesTheFieldsOfAZipGroupTogether) {
  const Expansion all = expansion(kStart + R"("grid": {"seed": [1, 2]},
                  "zip": [{"loss": ["contrastive", "rotation"], "epochs": [20, 16]}]})");
  EXPECT_EQ(values(all, {"seed", "loss", "epochs"}),
            (Words{"1 contrastive 20", "1 rotation 16", "2 contrastive 20", "2 rotation 16"}));
}

TEST(Expand, TakesEveryClassOfTheDataset) {
  const std::string start = R"({"name": "x", "trial": {"dataset": "synthetic", "epochs": 5)";
  const Words each{"0", "1", "2", "3"};
  EXPECT_EQ(values(expansion(start + R"(, "class": "all"}})"), {"class"}), each);
  EXPECT_EQ(values(expansion(start + R"(}, "grid": {"class": "all"}})"), {"class"}), each);
  EXPECT_EQ(values(expansion(start + R"(}, "grid": {"class": ["all"]}})"), {"class"}), each);
  EXPECT_EQ(values(expansion(start + R"(}, "zip": [{"class": ["all", 0], "seed": [1, 2]}]})"),
                   {"class", "seed"}),
            (Words{"0 1", "1 1", "2 1", "3 1", "0 2"}));
}

TEST(Expand, KnowsTheDatasetsClassesWhereverItsAxisStands) {
  const Expansion all = expansion(
      R"({"name": "x", "grid": {"class": "all", "dataset": ["synthetic", "fashion-mnist"]}})");
  EXPECT_EQ(all.trials.size(), 14U);
  EXPECT_EQ(values(all, {"dataset", "class"}).front(), "synthetic 0");
  EXPECT_EQ(values(all, {"dataset", "class"}).back(), "fashion-mnist 9");
  const Expansion by_variant = expansion(
      R"({"name": "x", "trial": {"dataset": "synthetic"}, "grid": {"class": "all"},
          "ablate": {"variants": {"clothes": {"dataset": "fashion-mnist"}}}})");
  EXPECT_EQ(by_variant.trials.size(), 14U);
}

TEST(Expand, LetsAnAxisReplaceEveryClassOfTheBase) {
  const Expansion all = expansion(
      R"({"name": "x", "trial": {"dataset": "synthetic", "class": "all"},
          "grid": {"class": [2, "left"]}})");
  EXPECT_EQ(values(all, {"class"}), (Words{"2", "1"}));
}

TEST(Expand, LetsOneVariantReplaceEveryClassOfTheBase) {
  const Expansion all = expansion(
      R"({"name": "x", "trial": {"dataset": "synthetic", "class": "all"},
          "ablate": {"variants": {"right alone": {"class": "right", "seed": 9}}}})");
  EXPECT_EQ(values(all, {"class", "seed"}), (Words{"0 1", "1 1", "2 1", "3 1", "3 9"}));
}

TEST(Expand, LabelsTheVariantsOfAnAblation) {
  const Expansion all =
      expansion(kStart + R"("ablate": {"baseline": {"batch_size": 32, "augmentations": "hflip"},
                             "variants": {"no flip": {"augmentations": "none"},
                                          "batch 64": {"batch_size": 64}}},
                  "grid": {"seed": [1, 2]}})");
  EXPECT_EQ(variants(all),
            (Words{"baseline", "baseline", "no flip", "no flip", "batch 64", "batch 64"}));
  EXPECT_EQ(
      values(all, {"batch_size", "augmentations", "seed"}),
      (Words{"32 hflip 1", "32 hflip 2", "32 none 1", "32 none 2", "64 hflip 1", "64 hflip 2"}));
}

TEST(Expand, ExcludesWhatMatchesEveryFieldOfAnExclusion) {
  const Expansion all = expansion(
      kStart + R"("grid": {"loss": ["contrastive", "rotation"], "batch_size": [16, 32, 64]},
                  "exclude": [{"loss": "rotation", "batch_size": [16, 32]}]})");
  EXPECT_EQ(all.excluded, 2);
  EXPECT_EQ(values(all, {"loss", "batch_size"}),
            (Words{"contrastive 16", "contrastive 32", "contrastive 64", "rotation 64"}));
  EXPECT_TRUE(all.warnings.empty());
}

TEST(Expand, WarnsOfAnExclusionThatMatchesNothing) {
  const Expansion all =
      expansion(kStart + "\"exclude\": [{\"seed\": 2},\n{\"temperature\": 0.5}]}");
  EXPECT_EQ(all.warnings, (Words{"spec.json:2: exclude[0]: matches no trial",
                                 "spec.json:3: exclude[1]: matches no trial"}));
}

TEST(Expand, ExcludesAClassOfOneDatasetAmongSeveral) {
  const Expansion all = expansion(
      R"({"name": "x", "grid": {"dataset": ["synthetic", "fashion-mnist"], "class": "all"},
          "exclude": [{"class": "sandal"}, {"class": 9, "dataset": "fashion-mnist"}]})");
  EXPECT_EQ(all.trials.size(), 12U);
}

TEST(Expand, MayExcludeWhatCannotRun) {
  EXPECT_EQ(expansion(kStart + R"("grid": {"batch_size": [1, 2]}, "exclude": [{"batch_size": 1}]})")
                .trials.size(),
            1U);
}

TEST(Expand, NamesTheCombinationThatCannotRun) {
  EXPECT_EQ(refusal(kStart + R"("grid": {"batch_size": [1, 2]}})"),
            "spec.json:1: this combination cannot run: contrastive with batch_size 1 has no "
            "negatives\n  in "
            R"({"batch_size":1,"class":0,"dataset":"synthetic","epochs":5,"loss":"contrastive",)"
            R"("seed":1})");
}

TEST(Expand, DropsAndCountsDuplicates) {
  const Expansion all = expansion(
      kStart + R"("grid": {"loss": ["contrastive", "rotation"], "temperature": [0.1, 0.2, 0.5]}})");
  EXPECT_EQ(all.trials.size(), 4U);
  EXPECT_EQ(all.duplicates, 2);
  const Expansion again = expansion(kStart + R"("grid": {"seed": [1, 2, 1]}})");
  EXPECT_EQ(values(again, {"seed"}), (Words{"1", "2"}));
  EXPECT_EQ(again.duplicates, 1);
}

TEST(Expand, GivesABlockWhatAllShareAndItsOwn) {
  const Expansion all = expansion(kStart + R"("blocks": [{"grid": {"seed": [1, 2]}},
                             {"trial": {"class": "all", "loss": "rotation"}}]})");
  EXPECT_EQ(values(all, {"loss", "class", "seed", "epochs"}),
            (Words{"contrastive 0 1 5", "contrastive 0 2 5", "rotation 0 1 5", "rotation 1 1 5",
                   "rotation 2 1 5", "rotation 3 1 5"}));
}

TEST(Expand, EvaluatesABlockAsItSaysItselfOrElseAsAllDo) {
  const Expansion all = expansion(kStart + R"("evaluate": {"classifiers": ["kde"]},
                  "blocks": [{}, {"trial": {"seed": 2}, "evaluate": {"classifiers": ["gde"]}}]})");
  const auto first = [&](std::size_t i) {
    return all.evaluations.at(all.trials.at(i).evaluations).at(0).classifier;
  };
  EXPECT_EQ(first(0), Classifier::kde);
  EXPECT_EQ(first(1), Classifier::gde);
}

TEST(Expand, EvaluatesATrialOfSeveralBlocksAsAllOfThemSay) {
  const Expansion all = expansion(
      kStart + R"("blocks": [{"grid": {"seed": [1, 2, 3]}, "evaluate": {"classifiers": ["kde"]}},
                             {"grid": {"seed": [2, 3]}, "evaluate": {"classifiers": ["gde"]}},
                             {"grid": {"seed": [3, 4]}, "evaluate": {"classifiers": ["kde"]}}]})");
  EXPECT_EQ(values(all, {"seed"}), (Words{"1", "2", "3", "4"}));
  EXPECT_EQ(all.duplicates, 3);
  const auto scores = [&](std::size_t i) {
    Words names;
    for (const EvaluationRequest& request : all.evaluations.at(all.trials.at(i).evaluations))
      names.push_back(to_string(request.classifier));
    return names;
  };
  EXPECT_EQ(scores(0), Words{"kde"});
  EXPECT_EQ(scores(1), (Words{"kde", "gde"}));
  EXPECT_EQ(scores(2), (Words{"kde", "gde"}));
  EXPECT_EQ(scores(3), Words{"kde"});
}

std::vector<std::int32_t> gpus(const Expansion& all) {
  std::vector<std::int32_t> numbers;
  for (const PlannedTrial& planned : all.trials) numbers.push_back(planned.gpus);
  return numbers;
}
using Gpus = std::vector<std::int32_t>;

TEST(Expand, TakesGpusFromTheBaseAnAxisAZipOrAVariant) {
  EXPECT_EQ(gpus(expansion(kStart + R"("grid": {"seed": [1, 2]}})")), (Gpus{1, 1}));
  const std::string base =
      R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0, "epochs": 5, "gpus": 2},)";
  EXPECT_EQ(gpus(expansion(base + R"("grid": {"seed": [1, 2]}})")), (Gpus{2, 2}));
  EXPECT_EQ(
      gpus(expansion(base + R"("zip": [{"batch_size": [16, 32, 64], "gpus": [1, 4, "auto"]}]})")),
      (Gpus{1, 4, kAutoGpus}));
  EXPECT_EQ(
      gpus(expansion(
          base +
          R"("ablate": {"variants": {"wide": {"batch_size": 64, "gpus": 8}, "not": {"seed": 3}}}})")),
      (Gpus{2, 8, 2}));
  EXPECT_EQ(
      gpus(expansion(base + R"("blocks": [{"trial": {"gpus": 4}}, {"trial": {"seed": 2}}]})")),
      (Gpus{4, 2}));
}

TEST(Expand, GivesATrialTheSameIdWithAnyNumberOfGpus) {
  const Expansion one = expansion(kStart + R"("grid": {"gpus": [1]}})");
  const Expansion four = expansion(kStart + R"("grid": {"gpus": [4]}})");
  EXPECT_EQ(id_of(one.trials.at(0).trial), id_of(four.trials.at(0).trial));
}

TEST(Expand, WarnsOfATrialThatIsAskedForWithSeveralNumbersOfGpus) {
  const Expansion all = expansion(kStart + R"("grid": {"seed": [1, 2], "gpus": [2, "auto"]}})");
  EXPECT_EQ(gpus(all), (Gpus{2, 2}));
  EXPECT_EQ(all.duplicates, 2);
  ASSERT_EQ(all.warnings.size(), 1U) << "once a block";
  EXPECT_THAT(all.warnings[0],
              testing::HasSubstr("gpus 2 and gpus auto are asked for the same trial"));
}

TEST(Expand, RefusesGpusThatDoNotDivideTheBatch) {
  try {
    expansion(kStart + R"("grid": {"batch_size": [32], "gpus": [3]}})");
    FAIL();
  } catch (const UsageError& problem) {
    EXPECT_THAT(problem.what(), testing::HasSubstr("gpus 3 does not divide batch_size 32"));
  }
}

TEST(Expand, TrainsWhatIsNotTrainedOnNoGang) {
  EXPECT_EQ(gpus(expansion(kStart + R"("grid": {"epochs": [0], "gpus": [3]}})")), (Gpus{1}));
}

TEST(Expand, GivesEveryPointOfALargeGrid) {
  std::string seeds = "0";
  for (int seed = 1; seed < 2000; ++seed) seeds += "," + std::to_string(seed);
  const Expansion all =
      expansion(R"({"name": "x", "trial": {"dataset": "fashion-mnist", "class": "all"},
                    "grid": {"batch_size": [32, 64], "seed": [)" +
                seeds + "]}}");
  EXPECT_EQ(all.trials.size(), 40'000U);
  EXPECT_EQ(all.duplicates, 0);
}

TEST(Expand, KeepsEveryIdApart) {
  const Expansion all = expansion(
      R"({"name": "x", "trial": {"dataset": "fashion-mnist"}, "grid": {"class": "all",
          "seed": [1, 2, 3, 4, 5], "batch_size": [16, 32, 64, 128],
          "loss": ["contrastive", "rotation"], "weight_decay": [1e-4, 2e-4, 3e-4, 4e-4, 5e-4]}})");
  EXPECT_EQ(all.trials.size(), 2000U);
  EXPECT_EQ(all.duplicates, 0);
  std::vector<std::string> ids;
  for (const PlannedTrial& planned : all.trials) ids.push_back(id_of(planned.trial));
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST(Expand, TakesObjectsAsTheValuesOfExtra) {
  const Expansion found = expansion(R"({
    "name": "x", "trial": {"dataset": "synthetic", "class": 0, "steps": 1},
    "grid": {"extra": [{"model": "a"}, {"model": "b", "trees": [1, 2]}], "seed": [1, 2]},
    "exclude": [{"extra": {"model": "a"}, "seed": 2}]})");
  ASSERT_EQ(found.trials.size(), 3);
  EXPECT_EQ(found.trials[0].trial.extra.text, R"({"model":"a"})");
  EXPECT_EQ(found.trials[2].trial.extra.text, R"({"model":"b","trees":[1,2]})");
  EXPECT_EQ(refusal(R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0, "extra": 3}})"),
            "spec.json:1: trial.extra: must be an object");
}

TEST(Expand, AsksWhatTheImagesAreWhereTheSizeOfADataSetIsNotKnown) {
  std::vector<std::string> asked;
  const Expansion found =
      expand(parsed(R"({
    "name": "x", "trial": {"epochs": 1},
    "blocks": [{"trial": {"dataset": "folder", "source": "screws", "class": "all"},
                "grid": {"seed": [1, 2]}},
               {"trial": {"dataset": "celeba", "class": "Eyeglasses"}},
               {"trial": {"dataset": "cifar10", "class": "cat"}}]})"),
             [&](const Trial& one) {
               asked.push_back(to_string(one.dataset) + " " + one.source.name);
               return SourceImages{"name", "c" + std::to_string(asked.size()),
                                   64 * static_cast<std::int64_t>(asked.size()), 50, 64};
             });
  EXPECT_EQ(asked, (std::vector<std::string>{"folder screws", "folder screws", "celeba "}));
  ASSERT_EQ(found.trials.size(), 4);
  EXPECT_EQ(budget(found.trials[1].trial).steps, 4);
  EXPECT_EQ(found.trials[2].trial.source.content, "c3");
  EXPECT_EQ(found.trials[3].trial.source.content, "");
  EXPECT_EQ(budget(found.trials[3].trial).steps, 5000 / 32);
}

}  // namespace
}  // namespace occam
