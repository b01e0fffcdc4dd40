#include "results/trial_reader.h"

#include <gtest/gtest.h>

#include "experiments/spec.h"

namespace occam {
namespace {

TEST(TrialReader, ReadsEveryTrialOfASweepAsIfItWereTheFirst) {
  const Spec spec = parse_spec(R"({
    "name": "all", "trial": {"dataset": "fashion-mnist", "epochs": 2},
    "grid": {"class": [0, 3], "seed": [1, 2], "loss": ["contrastive", "rotation"], "temperature": [0.1, 0.2],
             "augmentations": ["none", "hflip"], "width": [0.5, 1], "validation": [false, true],
             "head_layers": [0, 2], "extra": [{}, {"a": "{\"},", "b": [1, {"c": 2}]}]}})",
                               "spec.json");
  TrialReader reader;
  std::size_t count = 0;
  for (const PlannedTrial& planned : expand(spec).trials) {
    const std::string config = to_json(planned.trial).dump();
    EXPECT_EQ(to_json(reader.read(config)).dump(), config);
    ++count;
  }
  EXPECT_GT(count, 300u);
}

TEST(TrialReader, ReadsWhatItDidNotWriteItself) {
  TrialReader reader;
  Trial trial;
  trial.seed = 7;
  const std::string usual = to_json(trial).dump();
  EXPECT_EQ(reader.read(usual).seed, 7);
  EXPECT_EQ(reader.read(R"({ "seed" : 8, "dataset": "cifar10" })").seed, 8);
  EXPECT_EQ(reader.read(usual).dataset, Dataset::fashion_mnist);
  EXPECT_EQ(reader.read(R"({"dataset":"cifar10"})").dataset, Dataset::cifar10);
  EXPECT_EQ(reader.read(R"({"dataset":"cifar10","seed":9})").seed, 9);
  EXPECT_EQ(reader.read("{}").seed, Trial{}.seed);
  EXPECT_EQ(reader.read(usual).seed, 7);
}

TEST(TrialReader, ThrowsForWhatIsNoTrialAndGoesOn) {
  TrialReader reader;
  const std::string usual = to_json(Trial{}).dump();
  reader.read(usual);
  EXPECT_ANY_THROW(reader.read(R"({"tiral":1})"));
  EXPECT_ANY_THROW(reader.read("{"));
  std::string broken = usual;
  broken.replace(broken.find("\"seed\":1"), 8, "\"seed\":\"x\"");
  EXPECT_ANY_THROW(reader.read(broken));
  EXPECT_EQ(to_json(reader.read(usual)).dump(), usual);
}

}  // namespace
}  // namespace occam
