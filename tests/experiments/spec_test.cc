#include "experiments/spec.h"

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/experiments/sample.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

const std::string kStart =
    "{\"name\": \"x\",\n\"trial\": {\"dataset\": \"synthetic\", \"class\": 0},\n";

// What is wrong with the third line of a spec that is otherwise good.
std::string third_line(const std::string& line) { return refusal(kStart + line + "\n}"); }

std::vector<EvaluationRequest> evaluated(const std::string& evaluate) {
  return parsed(kStart + "\"evaluate\": " + evaluate + "}").blocks.at(0).evaluations;
}

TEST(Spec, MayHaveComments) {
  EXPECT_EQ(parsed("// what\n{/* the */ \"name\": \"x\", \"trial\": {\"dataset\": \"synthetic\", "
                   "\"class\": 0}} // end")
                .name,
            "x");
}

TEST(Spec, KeepsItsText) {
  EXPECT_EQ(parsed(kStart + "\"grid\": {}}").text, kStart + "\"grid\": {}}");
}

TEST(Spec, IsReadFromItsFile) {
  const TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  const std::string path = folder / "one.json";
  std::ofstream(path) << kStart << "\"gird\": {}}";
  EXPECT_EQ(message_of([&] { read_spec(path); }).rfind(path + ":3: gird: unknown key", 0), 0U);
  EXPECT_EQ(
      message_of([&] { read_spec(folder / "two.json"); }),
      (folder / "two.json").string() + ": cannot read this spec file: No such file or directory");
  std::ofstream(folder / "occam.db") << "SQLite format 3" << std::string(1, '\0') << "and more";
  EXPECT_EQ(message_of([&] { read_spec(folder / "occam.db"); }),
            (folder / "occam.db").string() +
                ": is a database, and no spec file; a spec comes first, and the database behind "
                "--db: occam run SPEC --db " +
                (folder / "occam.db").string());
  EXPECT_EQ(message_of([&] { read_spec(folder); }),
            folder.string() + ": is a folder, and no spec file");
}

TEST(Spec, NeedsANameADatasetAndAClass) {
  EXPECT_EQ(refusal("{}"), "spec.json:1: needs a name: {\"name\": \"batch-size\", …}");
  EXPECT_EQ(refusal(R"({"name": ""})"),
            "spec.json:1: name: an empty name names nothing; one like \"batch-size\" does");
  EXPECT_EQ(
      refusal("{\"name\": \"" + std::string(250, 'n') + "\"}"),
      "spec.json:1: name: a name of 250 bytes is longer than a file's can be; it may have 200");
  EXPECT_EQ(refusal(R"({"name": "a\nb"})"),
            "spec.json:1: name: the name \"a\\nb\" has a control character in it; a space or '-' "
            "would do");
  EXPECT_EQ(third_line("\"tables\": {\"a\\u0007\": {}}").rfind("spec.json:3: tables: the name", 0),
            0U);
  EXPECT_EQ(refusal(R"({"name": 3})"), "spec.json:1: name: must be a text");
  EXPECT_EQ(refusal(R"({"name": "x", "trial": {"class": 0}})"), "spec.json:1: names no dataset");
  EXPECT_EQ(refusal(R"({"name": "x", "trial": {"dataset": "synthetic"}})"),
            "spec.json:1: names no class (\"all\" is every class)");
  EXPECT_EQ(refusal("[]"),
            "spec.json:1: must be an object: {\"name\": …, \"trial\": …, \"grid\": …}");
}

TEST(Spec, RefusesAnUnknownKeyAndSaysWhichWasMeant) {
  EXPECT_EQ(
      third_line("\"grids\": {}"),
      "spec.json:3: grids: unknown key (did you mean 'grid'?); known here: name, trial, grid, "
      "zip, ablate, exclude, evaluate, blocks, tables, figures");
  const std::string problem = third_line("\"grid\": {\"batchsize\": [1]}");
  EXPECT_EQ(problem.rfind("spec.json:3: grid.batchsize: unknown key (did you mean 'batch_size'?); "
                          "known here: dataset, source, class, seed, loss, ",
                          0),
            0U)
      << problem;
}

TEST(Spec, RefusesAKeyThatStandsTwice) {
  EXPECT_EQ(third_line("\"grid\": {\"seed\": 1, \"seed\": 2}"),
            "spec.json:3: grid.seed: this key stands here twice");
}

TEST(Spec, RefusesAValueOfAnotherTypeOrOutOfRangeWhereItStands) {
  EXPECT_EQ(third_line("\"grid\": {\"batch_size\": [16, \"32\"]}"),
            "spec.json:3: grid.batch_size[1]: \"32\" is not an integer");
  EXPECT_EQ(third_line("\"grid\": {\"batch_size\": [16,\n0]}"),
            "spec.json:4: grid.batch_size[1]: 0 is not in 1..65536");
  EXPECT_EQ(
      third_line("\"grid\": {\"loss\": \"moco\"}"),
      "spec.json:3: grid.loss: 'moco' is none of: contrastive, rotation, contrastive-symmetric");
  EXPECT_EQ(third_line("\"grid\": {\"loss\": {}}"),
            "spec.json:3: grid.loss: must be a value or a list of values");
  EXPECT_EQ(third_line("\"grid\": {\"loss\": [[\"rotation\"]]}"),
            "spec.json:3: grid.loss[0]: must be a value");
  EXPECT_EQ(third_line("\"grid\": {\"seed\": []}"), "spec.json:3: grid.seed: is an empty list");
  EXPECT_EQ(third_line("\"grid\": {\"seed\": null}"),
            "spec.json:3: grid.seed: null is not an integer");
  EXPECT_EQ(third_line("\"grid\": []"),
            "spec.json:3: grid: must be an object of fields and their values");
  EXPECT_EQ(
      third_line("\"grid\": {\"augmentations\": [\"hflip+flip\"]}")
          .rfind("spec.json:3: grid.augmentations[0]: 'flip' is no augmentation (did you mean ", 0),
      0U);
  EXPECT_EQ(
      refusal("{\"name\": \"x\", \"trial\": {\"seed\": [1]}}"),
      "spec.json:1: trial.seed: is to be one value here; a list of values goes into \"grid\"");
  EXPECT_EQ(refusal("{\"name\": \"x\",\n\"trial\": 3}"),
            "spec.json:2: trial: must be an object of trial fields");
}

TEST(Spec, RefusesWhatIsNoNumberOfGpusWhereItStands) {
  EXPECT_EQ(third_line("\"grid\": {\"gpus\": [1, 0]}"),
            "spec.json:3: grid.gpus[1]: 0 is no number of GPUs: 1, more, or \"auto\"");
  EXPECT_EQ(third_line("\"grid\": {\"gpus\": \"all\"}"),
            "spec.json:3: grid.gpus: \"all\" is no number of GPUs: 1, more, or \"auto\"");
  EXPECT_EQ(third_line("\"grid\": {\"gpus\": -2}"),
            "spec.json:3: grid.gpus: -2 is no number of GPUs: 1, more, or \"auto\"");
  EXPECT_EQ(third_line("\"grid\": {\"seed\": 1},\n\"zip\": [{\"gpu\": [1]}]")
                .rfind("spec.json:4: zip[0].gpu: unknown key (did you mean 'gpus'?)", 0),
            0U);
}

TEST(Spec, RefusesAClassThatTheDatasetLacksWhereItStands) {
  EXPECT_EQ(refusal("{\"name\": \"x\", \"trial\": {\"dataset\": \"synthetic\",\n\"class\": 4}}"),
            "spec.json:2: trial.class: class 4 is not in 0..3, the classes of synthetic");
  EXPECT_EQ(
      refusal("{\"name\": \"x\", \"trial\": {\"dataset\": \"synthetic\"},\n\"grid\": "
              "{\"class\": [\"left\", \"rihgt\"]}}"),
      "spec.json:2: grid.class[1]: 'rihgt' is no class of synthetic, which has: upright, left, "
      "upside-down, right (did you mean 'right'?)");
}

TEST(Spec, RefusesBothEpochsAndSteps) {
  const std::string both = "names both epochs and steps: a training has one budget";
  EXPECT_EQ(third_line("\"grid\": {\"epochs\": [1], \"steps\": [1]}"), "spec.json:1: " + both);
  EXPECT_EQ(refusal("{\"name\": \"x\", \"trial\": {\"dataset\": \"synthetic\", \"class\": 0, "
                    "\"epochs\": 3}, \"blocks\": [\n{\"trial\": {\"steps\": 3}}]}"),
            "spec.json:2: blocks[0]: " + both);
}

TEST(Spec, RefusesAFieldInTwoAxes) {
  EXPECT_EQ(third_line("\"grid\": {\"seed\": [1]},\n\"zip\": [{\"seed\": [1], \"epochs\": [1]}]"),
            "spec.json:4: zip[0].seed: stands in two axes");
  EXPECT_EQ(third_line("\"zip\": [{\"seed\": [1]}, {\"seed\": [2]}]"),
            "spec.json:3: zip[1].seed: stands in two axes");
  EXPECT_EQ(third_line("\"ablate\": {\"variants\": {\"a\": {\"seed\": 2}}},\n\"grid\": {\"seed\": "
                       "[1]}"),
            "spec.json:4: grid.seed: stands in two axes");
}

TEST(Spec, RefusesListsOfUnequalLengthThatMoveTogether) {
  EXPECT_EQ(
      third_line("\"zip\": [{\"loss\": [\"contrastive\", \"rotation\"], \"epochs\": [1]}]"),
      "spec.json:3: zip[0].epochs: has 1 values where 'loss' has 2: fields that move together "
      "need as many");
  EXPECT_EQ(third_line("\"zip\": [{\"seed\": 1}]"), "spec.json:3: zip[0].seed: must be a list");
  EXPECT_EQ(third_line("\"zip\": [{}]"), "spec.json:3: zip[0]: is empty");
  EXPECT_EQ(third_line("\"zip\": {}"),
            "spec.json:3: zip: must be a list of objects, each with lists of equal length");
}

TEST(Spec, RefusesAxesBesideBlocks) {
  const std::string blocks = ", \"blocks\": [{}]";
  for (const std::string key : {"grid", "zip", "ablate", "exclude"})
    EXPECT_EQ(
        third_line("\"" + key + "\": {}" + blocks),
        "spec.json:3: " + key + ": stands beside blocks; move it into the blocks that it is for");
  EXPECT_EQ(third_line("\"blocks\": []"), "spec.json:3: blocks: is an empty list");
  EXPECT_EQ(third_line("\"blocks\": {}"), "spec.json:3: blocks: must be a list of objects");
  EXPECT_EQ(third_line("\"blocks\": [{\"name\": \"y\"}]"),
            "spec.json:3: blocks[0].name: unknown key; known here: trial, grid, zip, ablate, "
            "exclude, evaluate");
}

TEST(Spec, RefusesAnAblationWithoutVariants) {
  EXPECT_EQ(third_line("\"ablate\": {\"baseline\": {}}"),
            "spec.json:3: ablate: needs variants: {\"no jitter\": {\"augmentations\": \"…\"}, …}");
  EXPECT_EQ(third_line("\"ablate\": {\"variants\": []}"),
            "spec.json:3: ablate.variants: must be an object of named variants");
  EXPECT_EQ(third_line("\"ablate\": {\"variants\": {\"baseline\": {}}}"),
            "spec.json:3: ablate.variants.baseline: is the name of what the variants are compared "
            "with");
}

TEST(Spec, RefusesAnExclusionOfEverything) {
  EXPECT_EQ(third_line("\"exclude\": [{}]"),
            "spec.json:3: exclude[0]: is empty and would exclude everything");
  EXPECT_EQ(third_line("\"exclude\": {}"), "spec.json:3: exclude: must be a list of objects");
}

TEST(Evaluate, AsksForFourClassifiersOnPooledFeaturesUnlessTold) {
  EXPECT_EQ(parsed(kStart + "\"grid\": {}}").blocks.at(0).evaluations, default_evaluations());
  EXPECT_EQ(evaluated("{}"), default_evaluations());
}

TEST(Evaluate, MultipliesFeaturesClassifiersAndTheirParameters) {
  const auto requests = evaluated(
      R"({"features": ["embed", "pixels"], "test_limit": 50, "classifiers":
          ["kde", {"name": "oc-svm-rbf", "nu": [0.1, 0.5], "gamma_scale": 3}]})");
  ASSERT_EQ(requests.size(), 6U);
  EXPECT_EQ(requests[0], (EvaluationRequest{Features::embed, Classifier::kde, {0.5, 10, 50}}));
  EXPECT_EQ(requests[1],
            (EvaluationRequest{Features::embed, Classifier::oc_svm_rbf, {0.1, 3, 50}}));
  EXPECT_EQ(requests[5],
            (EvaluationRequest{Features::pixels, Classifier::oc_svm_rbf, {0.5, 3, 50}}));
}

TEST(Evaluate, AsksForRotationScoresOnceAndOnLogits) {
  const auto requests =
      evaluated(R"({"features": ["pool", "embed"], "classifiers": ["rotation", "gde"]})");
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2], (EvaluationRequest{Features::logit, Classifier::rotation, {}}));
}

TEST(Evaluate, AsksForNothingTwice) {
  EXPECT_EQ(evaluated(R"({"features": ["pool", "pool"], "classifiers":
                          ["kde", "kde", {"name": "kde", "gamma_scale": [10, 10]}]})")
                .size(),
            1U);
}

TEST(Evaluate, RefusesWhatItDoesNotUnderstandWhereItStands) {
  const auto problem = [](const std::string& evaluate) {
    const std::string text = third_line("\"evaluate\": " + evaluate);
    return text.substr(std::string("spec.json:3: evaluate").size());
  };
  EXPECT_EQ(problem(R"({"features": "logit"})"),
            ".features: 'logit' is what the classifiers rotation and rotation-upright read by "
            "themselves");
  EXPECT_EQ(problem(R"({"features": ["pool", "pol"]})"),
            ".features[1]: 'pol' is none of: pool, embed, pixels, logit (did you mean 'pool'?)");
  EXPECT_EQ(problem(R"({"features": []})"), ".features: is an empty list");
  EXPECT_EQ(problem(R"({"classifiers": "kde"})"), ".classifiers: must be a list of classifiers");
  EXPECT_EQ(problem(R"({"classifiers": []})"), ".classifiers: is an empty list");
  std::string many = "[1";
  for (int i = 2; i <= 40; ++i) many += "," + std::to_string(1.0 / i);
  EXPECT_EQ(problem(R"({"classifiers": [{"name": "oc-svm-rbf", "nu": )" + many +
                    R"(], "gamma_scale": )" + many + "]}]}"),
            ".classifiers[0]: has more than 1000 combinations of parameters");
  EXPECT_EQ(problem(R"({"classifiers": [3]})"),
            ".classifiers[0]: must be a classifier's name or an object with one");
  EXPECT_EQ(problem(R"({"classifiers": ["kd"]})"),
            ".classifiers[0]: 'kd' is none of: oc-svm-rbf, oc-svm-linear, kde, gde, nearest, "
            "rotation, rotation-upright (did you mean 'kde'?)");
  EXPECT_EQ(problem(R"({"classifiers": [{"nu": 0.1}]})"),
            ".classifiers[0]: needs a name: {\"name\": \"oc-svm-rbf\", \"nu\": [0.1, 0.5]}");
  EXPECT_EQ(problem(R"({"classifiers": [{"name": "kde", "nu": 0.1}]})"),
            ".classifiers[0].nu: unknown key; known here: name, gamma_scale");
  EXPECT_EQ(problem(R"({"classifiers": [{"name": "oc-svm-rbf", "nu": [0.1, 0]}]})"),
            ".classifiers[0].nu[1]: 0 is not in 1e-9..1");
  for (const std::string scale : {"1e-300", "1e-10", "1e+300", "-1", "0"})
    EXPECT_EQ(problem(R"({"classifiers": [{"name": "kde", "gamma_scale": )" + scale + "}]}"),
              ".classifiers[0].gamma_scale: " + scale + " is not in 1e-9..1e+6");
  EXPECT_EQ(problem(R"({"classifiers": [{"name": "oc-svm-rbf", "nu": "0.1"}]})"),
            ".classifiers[0].nu: must be a number");
  for (const char* limit : {"-1", "1.5", "\"5\"", "[5]", "{}", "18446744073709551615"})
    EXPECT_EQ(problem("{\"test_limit\": " + std::string(limit) + "}"),
              ".test_limit: must be a number of test rows, or 0 for all");
  EXPECT_EQ(problem(R"({"test_limit": 1})"),
            ".test_limit: is one row, where a score needs an outlier and an inlier");
}

TEST(Tables, NameRowsColumnsAndReferences) {
  const Spec one = parsed(kStart + R"("tables": {"main": {"rows": "batch_size",
      "columns": ["loss", "classifier"], "where": {"seed": [1, 2], "loss": "rotation"},
      "references": {"untrained": {"epochs": 0}}, "caption": "What it costs"}}})");
  ASSERT_EQ(one.tables.size(), 1U);
  EXPECT_EQ(one.tables[0].first, "main");
  const TableSpec& table = one.tables[0].second;
  EXPECT_EQ(table.rows, std::vector<std::string>{"batch_size"});
  EXPECT_EQ(table.columns, (std::vector<std::string>{"loss", "classifier"}));
  ASSERT_EQ(table.where.size(), 2U);
  EXPECT_EQ(table.where[0].first, "seed");
  EXPECT_EQ(table.where[0].second, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(table.where[1].second, std::vector<std::string>{"rotation"});
  ASSERT_EQ(table.references.size(), 1U);
  EXPECT_EQ(table.references[0].name, "untrained");
  EXPECT_EQ(table.references[0].where[0].second, std::vector<std::string>{"0"});
  EXPECT_EQ(table.caption, "What it costs");
}

TEST(Tables, MayGiveTheirFieldsAsOneText) {
  const Spec one =
      parsed(kStart + R"("tables": {"a": {"rows": "loss,variant", "columns": "class_name"}}})");
  EXPECT_EQ(one.tables[0].second.rows, (std::vector<std::string>{"loss", "variant"}));
}

TEST(Tables, RefuseAFieldThatNoResultHas) {
  EXPECT_EQ(third_line(R"("tables": {"a": {"rows": "loss", "columns": "clasifier"}})"),
            "spec.json:3: tables.a.columns: 'clasifier' is no field of a result (did you mean "
            "'classifier'?)");
  EXPECT_EQ(
      third_line(R"("tables": {"a": {"rows": "loss"}})"),
      "spec.json:3: tables.a: needs rows and columns: {\"rows\": \"batch_size\", \"columns\": "
      "\"loss,classifier\"}");
  EXPECT_EQ(third_line(R"("tables": {"a": {"rows": "loss", "columns": "seed", "where": {"x": 1}}})")
                .rfind("spec.json:3: tables.a.where.x: unknown key", 0),
            0U);
  EXPECT_EQ(third_line(R"("tables": [])").rfind("spec.json:3: tables: must be an object", 0), 0U);
}

TEST(Tables, SayHowTheyCompareChooseAndPrint) {
  const Spec one = parsed(kStart + R"("tables": {"a": {"rows": "batch_size", "columns": "loss",
      "mean": true, "baseline": {"loss": "contrastive"}, "claim": "tasks", "spread": "ci95", "best": "row", "metric": "fpr95",
      "select": "learning_rate", "on": "test", "sort": "mean", "order": {"loss": ["rotation", "contrastive"]},
      "labels": {"batch_size": "Batch", "loss": {"rotation": "Rotation"}}}}})");
  const TableSpec& table = one.tables[0].second;
  EXPECT_TRUE(table.mean);
  EXPECT_EQ(table.baseline, (FieldValues{{"loss", {"contrastive"}}}));
  EXPECT_EQ(table.claim, Claim::tasks);
  EXPECT_EQ(table.spread, Spread::ci95);
  EXPECT_EQ(table.metric, Metric::fpr95);
  EXPECT_EQ(table.best, Best::row);
  EXPECT_EQ(table.select, std::vector<std::string>{"learning_rate"});
  EXPECT_EQ(table.select_on, "test");
  EXPECT_EQ(table.sort, "mean");
  EXPECT_EQ(table.order, (FieldValues{{"loss", {"rotation", "contrastive"}}}));
  ASSERT_EQ(table.labels.size(), 2U);
  EXPECT_EQ(table.labels[0].second[0], (std::pair<std::string, std::string>{"", "Batch"}));
  EXPECT_EQ(table.labels[1].second[0],
            (std::pair<std::string, std::string>{"rotation", "Rotation"}));
}

TEST(Tables, RefuseABaselineOfSeveralArmsAndUnknownWords) {
  const auto said = [](const std::string& more) {
    return third_line(R"("tables": {"a": {"rows": "loss", "columns": "seed", )" + more + "}}");
  };
  EXPECT_EQ(said(R"("baseline": {"loss": ["rotation", "contrastive"]})"),
            "spec.json:3: tables.a.baseline.loss: must be one value: the baseline is one arm");
  EXPECT_EQ(said(R"("spread": "se")").rfind("spec.json:3: tables.a.spread: 'se' is none of", 0),
            0U);
  EXPECT_EQ(said(R"("on": "train")"),
            "spec.json:3: tables.a.on: 'train' is none of: validation, test");
  EXPECT_EQ(
      said(R"("metric": "auc")")
          .rfind("spec.json:3: tables.a.metric: 'auc' is none of: auroc, average_precision", 0),
      0U);
  EXPECT_EQ(said(R"("mean": 1)"), "spec.json:3: tables.a.mean: must be true or false");
}

// A spec with everything in it, to break at random.
const std::string kRich = R"({
  "name": "all", // of it
  "trial": {"dataset": "fashion-mnist", "epochs": 20, "class": "all", "width": 0.5},
  "blocks": [
    {"grid": {"seed": [1, 2], "batch_size": [16, 32], "loss": "rotation"},
     "zip": [{"temperature": [0.1, 0.2], "learning_rate": [1e-2, 0.3]}],
     "exclude": [{"class": ["sandal", 3], "batch_size": 16}]},
    {"trial": {"dataset": "synthetic", "class": "left"},
     "ablate": {"baseline": {"augmentations": "cnr0.5+hflip+jitter_b0.4+gray0.2"},
                "variants": {"no jitter": {"augmentations": "cnr0.5+hflip"},
                             "da": {"distribution_augmentation": 4, "negatives": 3}}},
     "evaluate": {"features": ["pool", "pixels"], "test_limit": 10, "classifiers":
                  ["rotation", {"name": "oc-svm-rbf", "nu": [0.1, 0.5], "gamma_scale": 1}]}}],
  "tables": {"main": {"rows": "loss", "columns": ["classifier"], "where": {"seed": 1},
                      "references": {"untrained": {"epochs": 0}}, "caption": "c"}}
})";

std::string damaged(std::string text, std::mt19937& random) {
  const std::vector<std::string> pieces{"{",
                                        "}",
                                        "[",
                                        "]",
                                        "\"",
                                        ",",
                                        ":",
                                        "\n",
                                        "0",
                                        "-1",
                                        "1e9",
                                        "1e999",
                                        "0.5",
                                        "null",
                                        "true",
                                        "\"all\"",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "//",
                                        "/*",
                                        "\\u00",
                                        "\xff",
                                        "\"seed\"",
                                        "\"class\": 7,",
                                        "-0.0",
                                        "99999999999999999999"};
  for (auto times = 1 + random() % 3; times > 0; --times) {
    const std::size_t at = random() % text.size(), other = random() % text.size();
    switch (random() % 4) {
      case 0:
        text.insert(at, pieces[random() % pieces.size()]);
        break;
      case 1:
        text.erase(at, 1 + random() % 12);
        break;
      case 2:
        text.insert(at, text.substr(other, random() % 40));
        break;
      case 3:
        text[at] = static_cast<char>(random() % 256);
        break;
    }
    if (text.empty()) text = "{";
  }
  return text;
}

TEST(Spec, AnswersAnyDamageWithAUsageErrorOrATrialThatCanRun) {
  ASSERT_EQ(refusal(kRich), "no error");
  std::mt19937 random(20240501);
  int good = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = damaged(kRich, random);
    try {
      for (const PlannedTrial& planned : expand(parsed(text)).trials) check(planned.trial);
      ++good;
    } catch (const UsageError& problem) {
      EXPECT_EQ(std::string(problem.what()).rfind("spec.json:", 0), 0U) << problem.what();
    } catch (const std::exception& problem) {
      FAIL() << problem.what() << "\n" << text;
    }
  }
  EXPECT_GT(good, 50);
}

TEST(Spec, TakesNumbersOfNeighbours) {
  const Spec found = parsed(R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0},
    "evaluate": {"classifiers": [{"name": "nearest", "k": [1, 5]}]}})");
  ASSERT_EQ(found.blocks[0].evaluations.size(), 2);
  EXPECT_EQ(found.blocks[0].evaluations[1].parameters.k, 5);
  for (const char* wrong : {"0", "-1", "1.5", "\"five\""})
    EXPECT_NE(message_of([&] {
                parsed(R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0},
                  "evaluate": {"classifiers": [{"name": "nearest", "k": )" +
                       std::string(wrong) + "}]}}");
              }).find("is not a number of neighbours"),
              std::string::npos)
        << wrong;
}

}  // namespace
}  // namespace occam
