#include "experiments/trial.h"

#include <cmath>
#include <fstream>
#include <set>

#include "tests/experiments/sample.h"

namespace occam {
namespace {

using nlohmann::json;

// A value that is not the field's default, and that the field accepts.
json other_value(const FieldFacts&, const Dataset&) { return "synthetic"; }
json other_value(const FieldFacts&, const InlierClass&) { return 3; }
json other_value(const FieldFacts&, const AugmentationSet&) { return "hflip"; }
json other_value(const FieldFacts&, const SourceImages&) {
  return {{"name", "screws"},
          {"content", "0123456789abcdef"},
          {"train_rows", 90},
          {"test_rows", 40},
          {"side", 64}};
}
json other_value(const FieldFacts&, bool usual) { return !usual; }
json other_value(const FieldFacts&, const ExtraFields&) {
  return {{"model", "forest"}, {"trees", 9}};
}
json other_value(const FieldFacts& facts, std::int64_t usual) {
  return usual == static_cast<std::int64_t>(facts.least) ? usual + 1
                                                         : static_cast<std::int64_t>(facts.least);
}
json other_value(const FieldFacts& facts, double) { return facts.most; }
template <class Enum>
requires std::is_enum_v<Enum> json other_value(const FieldFacts&, Enum) {
  return all_names<Enum>().back();
}

// A trial in which the field has a say.
Trial trial_with(const FieldFacts& facts) {
  Trial one;
  if (facts.name == "source") one.dataset = Dataset::folder;
  return one;
}

std::string problem_with(const std::string& field, const json& value) {
  return message_of([&] {
    Trial one;
    set_field(one, field, value);
  });
}

TEST(TrialId, StaysWhatItWasWhenItWasFirstWritten) {
  std::ifstream golden(OCCAM_SOURCE_DIR "/tests/golden/trial_ids.txt");
  ASSERT_TRUE(golden);
  int cases = 0;
  std::string given, text, id;
  for (std::string line; std::getline(golden, line);) {
    if (line.empty() || line.front() == '#') continue;
    given = line;
    ASSERT_TRUE(std::getline(golden, text) && std::getline(golden, id)) << given;
    EXPECT_EQ(identity(trial(given)), text) << given;
    EXPECT_EQ(id_of(trial(given)), id) << given;
    ++cases;
  }
  EXPECT_GE(cases, 12);
}

TEST(TrialId, IsTheSameForSpellingsOfOneTraining) {
  const auto same = [](const std::string& a, const std::string& b) {
    EXPECT_EQ(id_of(trial(a)), id_of(trial(b))) << a << " and " << b;
  };
  same(R"({"class": "sandal"})", R"({"class": 5})");
  same(R"({"distribution_augmentation": 1})", R"({})");
  same(R"({"distribution_augmentation": 4})", R"({"distribution_augmentation": "4"})");
  same(R"({"augmentations": "jitter_b.4+gray0.20"})", R"({"augmentations": "jitter_b0.4+gray.2"})");
  same(R"({"width": 2})", R"({"width": 2.0})");
  same(R"({"momentum": -0.0})", R"({"momentum": 0})");
  same(R"({"augmentations": "gray-0"})", R"({"augmentations": "gray0"})");
  same(R"({"loss": "rotation", "temperature": 0.5, "negatives": 3, "embedding": 64})",
       R"({"loss": "rotation"})");
  same(R"({"epochs": 0, "batch_size": 64, "momentum": 0, "schedule": "step"})", R"({"epochs": 0})");
  same(R"({"steps": 100, "epochs": 7})", R"({"steps": 100})");
  same(R"({"head_layers": 0, "head_width": 64})", R"({"head_layers": 0})");
}

TEST(TrialId, DiffersWithEveryFieldThatChangesTheNumbers) {
  const Trial usual;
  std::set<std::string> ids{id_of(usual)};
  visit_fields(usual, [&](const FieldFacts& facts, const auto& member) {
    Trial changed = trial_with(facts);
    set_field(changed, facts.name, other_value(facts, member));
    EXPECT_TRUE(ids.insert(id_of(canonical(changed))).second) << facts.name;
  });
}

TEST(TrialId, OfAnUntrainedNetworkStillDependsOnItsShape) {
  EXPECT_NE(id_of(trial(R"({"epochs": 0})")), id_of(trial(R"({"epochs": 0, "depth": 34})")));
  EXPECT_NE(id_of(trial(R"({"epochs": 0})")), id_of(trial(R"({"epochs": 0, "seed": 2})")));
}

TEST(Canonical, ChangesNothingTheSecondTime) {
  for (const char* fields :
       {R"({})", R"({"epochs": 0, "steps": 9})", R"({"loss": "rotation", "head_layers": 0})",
        R"({"epochs": 0, "loss": "rotation", "embedding": 4})", R"({"class": "bag"})"}) {
    const Trial once = trial(fields);
    EXPECT_EQ(to_json(canonical(once)), to_json(once)) << fields;
    EXPECT_EQ(identity(canonical(once)), identity(once)) << fields;
  }
}

TEST(Fields, AreAllSetAndReadBackAsJson) {
  const Trial usual;
  visit_fields(usual, [&](const FieldFacts& facts, const auto& member) {
    const json value = other_value(facts, member);
    Trial changed = trial_with(facts);
    set_field(changed, facts.name, value);
    EXPECT_EQ(to_json(changed)[std::string(facts.name)], value) << facts.name;
    EXPECT_EQ(value_of(changed, facts.name),
              facts.shown.empty() ? value : value[std::string(facts.shown)])
        << facts.name;
    EXPECT_EQ(to_json(trial_from_json(to_json(changed))), to_json(changed)) << facts.name;
    EXPECT_EQ(identity(trial_from_json(to_json(canonical(changed)))), identity(canonical(changed)))
        << facts.name;
    const Setting setting(facts.name, value);
    Trial by_setting = trial_with(facts);
    EXPECT_FALSE(setting.matches(by_setting)) << facts.name;
    setting.apply(by_setting);
    EXPECT_TRUE(setting.matches(by_setting)) << facts.name;
    EXPECT_EQ(to_json(by_setting), to_json(changed)) << facts.name;
  });
}

TEST(Fields, AreNullWhereTheyHaveNoSay) {
  const json rotation = to_json(trial(R"({"loss": "rotation"})"));
  EXPECT_TRUE(rotation["temperature"].is_null());
  EXPECT_TRUE(rotation["embedding"].is_null());
  EXPECT_EQ(rotation["batch_size"], 32);
  const json untrained = to_json(trial(R"({"epochs": 0})"));
  EXPECT_TRUE(untrained["batch_size"].is_null());
  EXPECT_EQ(untrained["epochs"], 0);
  EXPECT_EQ(untrained["embedding"], 128);
  EXPECT_TRUE(to_json(trial(R"({"steps": 5})"))["epochs"].is_null());
  EXPECT_FALSE(Setting("temperature", 0.2).matches(trial(R"({"loss": "rotation"})")));
}

TEST(Fields, RefuseAValueOfAnotherType) {
  EXPECT_EQ(problem_with("batch_size", "64"), "\"64\" is not an integer");
  EXPECT_EQ(problem_with("batch_size", 1.5), "1.5 is not an integer");
  EXPECT_EQ(problem_with("batch_size", 18446744073709551615ULL),
            "18446744073709551615 is not in 1..65536");
  EXPECT_EQ(problem_with("temperature", true), "true is not a number");
  EXPECT_EQ(problem_with("loss", 3),
            "3 is not one of: contrastive, rotation, contrastive-symmetric");
  EXPECT_EQ(problem_with("loss", nullptr),
            "null is not one of: contrastive, rotation, contrastive-symmetric");
  EXPECT_EQ(problem_with("augmentations", json::array()), "[] is not a string of augmentations");
  EXPECT_EQ(problem_with("class", 0.5), "0.5 is not a class: an index or a name");
  EXPECT_EQ(problem_with("distribution_augmentation", 2.0),
            "2.0 is not a name or a number from 1 to 8");
  EXPECT_EQ(problem_with("seed", "\xff"), "\"\xEF\xBF\xBD\" is not an integer");
}

TEST(Fields, RefuseAValueOutOfRange) {
  EXPECT_EQ(problem_with("batch_size", 0), "0 is not in 1..65536");
  EXPECT_EQ(problem_with("epochs", 2000000), "2000000 is not in 0..1000000");
  EXPECT_EQ(problem_with("seed", -1), "-1 is not in 0..1000000000");
  EXPECT_EQ(problem_with("momentum", 1.5), "1.5 is not in 0..1");
  EXPECT_EQ(problem_with("temperature", 0), "0 is not in 1e-4..100");
  EXPECT_EQ(problem_with("temperature", std::nan("")), "nan is not in 1e-4..100");
}

TEST(Fields, SuggestTheNameThatWasMeant) {
  EXPECT_EQ(problem_with("loss", "moco"),
            "'moco' is none of: contrastive, rotation, contrastive-symmetric");
  EXPECT_EQ(problem_with("loss", "rotations"),
            "'rotations' is none of: contrastive, rotation, contrastive-symmetric (did you mean "
            "'rotation'?)");
  EXPECT_EQ(problem_with("bach_size", 3),
            "'bach_size' is no field of a trial (did you mean 'batch_size'?)");
  EXPECT_EQ(problem_with("distribution_augmentation", 9),
            "'9' is none of: none, rotation, hflip, vflip, 2, 3, 4, 5, 6, 7, 8");
  EXPECT_EQ(message_of([] { trial(R"({"class": "sandals"})"); }),
            "'sandals' is no class of fashion-mnist, which has: t-shirt, trouser, pullover, dress, "
            "coat, sandal, shirt, sneaker, bag, ankle-boot (did you mean 'sandal'?)");
  EXPECT_EQ(message_of([] { trial(R"({"dataset": "synthetic", "class": 4})"); }),
            "class 4 is not in 0..3, the classes of synthetic");
}

TEST(Setting, MatchesNoTrialOfADatasetWithoutTheClass) {
  const Setting sandal("class", "sandal"), ninth("class", 9);
  EXPECT_TRUE(sandal.matches(trial(R"({"class": 5})")));
  EXPECT_FALSE(sandal.matches(trial(R"({"dataset": "synthetic"})")));
  EXPECT_FALSE(ninth.matches(trial(R"({"dataset": "synthetic"})")));
}

TEST(Check, NamesTheCombinationThatCannotRun) {
  const auto problem = [](const std::string& fields) {
    const std::string text = message_of([&] { check(trial(fields)); });
    return text.substr(0, text.find('\n'));
  };
  const std::string start = "this combination cannot run: ";
  EXPECT_EQ(problem(R"({})"), "no error");
  EXPECT_EQ(problem(R"({"depth": 12})"), start + "depth 12 is none of 10, 18, 34");
  EXPECT_EQ(problem(R"({"width": 0.3})"),
            start + "width 0.3 is no multiple of 1/64, so channels would be broken");
  EXPECT_EQ(
      problem(R"({"train_limit": 6001})"),
      start + "train_limit 6001 is more than the 6000 train rows of a class of fashion-mnist");
  EXPECT_EQ(problem(R"({"train_limit": 31})"),
            start + "batch_size 32 is more than the 31 train rows, so no step would be taken");
  EXPECT_EQ(problem(R"({"train_limit": 31, "steps": 10})"),
            start + "batch_size 32 is more than the 31 train rows, so no step would be taken");
  EXPECT_EQ(problem(R"({"train_limit": 31, "distribution_augmentation": 2})"), "no error");
  EXPECT_EQ(problem(R"({"train_limit": 31, "epochs": 0})"), "no error");
  EXPECT_EQ(problem(R"({"batch_size": 1})"),
            start + "contrastive with batch_size 1 has no negatives");
  EXPECT_EQ(problem(R"({"batch_size": 1, "loss": "rotation"})"), "no error");
  EXPECT_EQ(problem(R"({"negatives": 5})"),
            start + "negatives 5 makes groups of 6 rows, which do not divide batch_size 32");
  EXPECT_EQ(problem(R"({"negatives": 63})"),
            start + "negatives 63 makes groups of 64 rows, which do not divide batch_size 32");
  EXPECT_EQ(problem(R"({"negatives": 31})"), "no error");
  EXPECT_EQ(problem(R"({"loss": "contrastive-symmetric", "negatives": 30})"), "no error");
  EXPECT_EQ(problem(R"({"loss": "contrastive-symmetric", "negatives": 62})"), "no error");
  EXPECT_EQ(problem(R"({"loss": "contrastive-symmetric", "negatives": 31})"),
            start +
                "negatives 31 is odd, but under contrastive-symmetric every other row is two "
                "negatives");
  EXPECT_EQ(problem(R"({"loss": "contrastive-symmetric", "negatives": 10})"),
            start + "negatives 10 makes groups of 6 rows, which do not divide batch_size 32");
  EXPECT_EQ(problem(R"({"loss": "rotation", "augmentations": "rotate180"})"),
            start +
                "rotate180 turns every image before loss rotation does, so what it learns of "
                "turned images is wrong for images as they are");
  EXPECT_EQ(problem(R"({"augmentations": "rotate180"})"), "no error");
  EXPECT_EQ(message_of([] { check(trial(R"({"batch_size": 1, "seed": 7})")); }),
            start +
                "contrastive with batch_size 1 has no negatives\n  in "
                R"({"batch_size":1,"class":0,"dataset":"fashion-mnist",)"
                R"("loss":"contrastive","seed":7})");
}

TEST(DoubtAboutATrial, IsThatItsTrainingCannotTellWhatItShould) {
  const auto doubt = [](const std::string& fields) { return doubt_about(trial(fields)); };
  EXPECT_EQ(doubt("{}"), "");
  EXPECT_EQ(doubt(R"({"loss": "rotation"})"), "");
  for (const char* copied : {"rotation", "3", "8"}) {
    const std::string fields = R"("distribution_augmentation": ")" + std::string(copied) + "\"";
    EXPECT_EQ(doubt("{" + fields + "}"), "");
    EXPECT_EQ(doubt(R"({"loss": "rotation", "epochs": 0, )" + fields + "}"), "");
    EXPECT_EQ(doubt(R"({"loss": "rotation", )" + fields + "}"),
              "loss rotation is to tell an image's quarter turns apart, and "
              "distribution_augmentation " +
                  std::string(copied) + " gives it each image in several of them");
  }
  const std::string half =
      "loss rotation is to tell an image's quarter turns apart, and flips both ways together are a "
      "half turn";
  EXPECT_EQ(doubt(R"({"loss": "rotation", "augmentations": "hflip+vflip"})"), half);
  EXPECT_EQ(doubt(R"({"loss": "rotation", "distribution_augmentation": "vflip"})"), half);
  EXPECT_EQ(doubt(R"({"loss": "rotation", "distribution_augmentation": "hflip"})"), "");
  EXPECT_EQ(doubt(R"({"augmentations": "hflip+vflip"})"), "");
  EXPECT_NE(doubt(R"({"augmentations": "jitter_s0.4_h0.1"})"), "");
  EXPECT_EQ(doubt(R"({"augmentations": "jitter_s0.4_h0.1", "dataset": "cifar10"})"), "");
}

TEST(AsHeld, IsTheSpellingOfTrialsForATextFieldsValues) {
  EXPECT_EQ(as_held("augmentations", "jitter_h.1_b0.4+cnr.5"), "jitter_b0.4_h0.1+cnr0.5");
  EXPECT_EQ(as_held("augmentations", "hfilp"), "hfilp");
  EXPECT_EQ(as_held("distribution_augmentation", "1"), "none");
  EXPECT_EQ(as_held("learning_rate", "1e-2"), "1e-2");
  EXPECT_EQ(as_held("class", "0"), "0");
  EXPECT_EQ(as_held("source", "screws"), "screws");
  EXPECT_EQ(as_held("classifier", "kde"), "kde");
}

TEST(CheckOnGpu, NamesWhatTheKernelsDoNotTake) {
  const auto problem = [](const std::string& fields) {
    const std::string text = message_of([&] { check_on_gpu(trial(fields)); });
    return text.substr(0, text.find('\n'));
  };
  const std::string start = "this combination cannot run: ";
  EXPECT_EQ(problem(R"({"precision": "bf16"})"), "no error");
  EXPECT_EQ(problem(R"({"width": 0.125, "precision": "bf16"})"), "no error");
  EXPECT_EQ(problem(R"({"width": 0.0625, "precision": "bf16", "extra": {"a": 1}})"), "no error");
  EXPECT_EQ(problem(R"({"width": 0.0625})"), "no error");
  EXPECT_EQ(problem(R"({"width": 0.0625, "precision": "bf16"})"),
            start + "width 0.0625 makes 4 channels, and on a GPU in bf16 they are a multiple of 8");
  EXPECT_EQ(problem(R"({"loss": "rotation", "head_layers": 1, "head_width": 50})"),
            start + "head_width 50: on a GPU in fp32 it is a multiple of 4");
  EXPECT_EQ(problem(R"({"augmentations": "jitter_b0.4_shuffled"})"), "no error");
  EXPECT_EQ(problem(R"({"width": 0.0625, "precision": "bf16", "epochs": 0})"), "no error");
}

TEST(CheckOnCpu, IsOfPrecisionsThatOurWorkerHasOnGpusAlone) {
  const auto problem = [](const std::string& fields) {
    const std::string text = message_of([&] { check_on_cpu(trial(fields)); });
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(problem(R"({"precision": "fp32"})"), "no error");
  EXPECT_EQ(problem(R"({"precision": "bf16", "extra": {"a": 1}})"), "no error");
  EXPECT_EQ(
      problem(R"({"precision": "tf32"})"),
      "this combination cannot run: precision tf32 needs a GPU; on a CPU there is fp32 alone");
}

TEST(Budget, CountsWholeBatchesOfTheEnlargedTrainSet) {
  const Budget usual = budget(trial(R"({"epochs": 20})"));
  EXPECT_EQ(usual.rows, 6000);
  EXPECT_EQ(usual.steps_per_epoch, 187);
  EXPECT_EQ(usual.steps, 20 * 187);
  const Budget enlarged =
      budget(trial(R"({"epochs": 1, "distribution_augmentation": "rotation"})"));
  EXPECT_EQ(enlarged.rows, 24000);
  EXPECT_EQ(enlarged.steps, 750);
}

TEST(Budget, CutsTheLastEpochShortUnderSteps) {
  const Budget plan = budget(trial(R"({"steps": 400})"));
  EXPECT_EQ(plan.epochs, 3);
  EXPECT_EQ(plan.steps, 400);
}

TEST(Copies, AreThoseThatTheNameSays) {
  const auto of = [](const json& value) {
    Trial one;
    set_field(one, "distribution_augmentation", value);
    return copies(one.distribution_augmentation);
  };
  EXPECT_EQ(of("none"), 1);
  EXPECT_EQ(of("rotation"), 4);
  EXPECT_EQ(of("hflip"), 2);
  EXPECT_EQ(of("vflip"), 2);
  for (int k = 1; k <= 8; ++k) EXPECT_EQ(of(k), k);
}

TEST(ImagesPerStep, CountTheViewsOfEveryRow) {
  EXPECT_EQ(images_per_step(trial(R"({"batch_size": 16})")), 32);
  EXPECT_EQ(images_per_step(trial(R"({"batch_size": 16, "loss": "rotation"})")), 64);
}

TEST(Validation, HoldsATenthOfTheClassOutAndLeavesTheRestToTrain) {
  // int(0.9 n) rows train, as the released split has it.
  EXPECT_EQ(train_rows(trial(R"({"validation": true})")), 5400);
  EXPECT_EQ(validation_inliers(trial(R"({"validation": true})"), 6000), 600);
  EXPECT_EQ(validation_inliers(trial(R"({"validation": true})"), 19), 2);
  EXPECT_EQ(validation_inliers(trial(R"({})"), 6000), 0);
  EXPECT_EQ(train_rows(trial(R"({"validation": true, "train_limit": 100})")), 100);
  EXPECT_EQ(budget(trial(R"({"validation": true, "epochs": 1})")).steps, 5400 / 32);
  EXPECT_NE(message_of([] { check(trial(R"({"validation": true, "train_limit": 5401})")); })
                .find("train_limit 5401 is more than the 5400 train rows of a class of "
                      "fashion-mnist that validation leaves"),
            std::string::npos);
}

TEST(Extra, IsOneTextForSpellingsOfOneObject) {
  const Trial one = trial(R"({"extra": {"trees": 9, "model": "forest"}})");
  EXPECT_EQ(identity(one),
            R"({"class":0,"dataset":"fashion-mnist","extra":{"model":"forest","trees":9},)"
            R"("loss":"contrastive","seed":1})");
  EXPECT_EQ(id_of(one), id_of(trial(R"({"extra": {"model": "forest", "trees": 9}})")));
  EXPECT_NE(id_of(one), id_of(trial(R"({"extra": {"model": "forest", "trees": 8}})")));
  EXPECT_EQ(id_of(trial(R"({"extra": {}})")), id_of(trial(R"({})")));
  EXPECT_EQ(problem_with("extra", 3), "3 is not an object");
}

TEST(Source, IsInTheIdAsItsContentAndNotAsItsName) {
  const auto of = [](const std::string& name, const std::string& content, std::int64_t rows) {
    Trial one = trial(R"({"dataset": "folder", "epochs": 1})");
    one.source = {name, content, rows, 40, 64};
    return canonical(one);
  };
  EXPECT_EQ(identity(of("screws", "00112233445566aa", 90)),
            R"({"class":0,"dataset":"folder","epochs":1,"loss":"contrastive","seed":1,)"
            R"("source":"00112233445566aa"})");
  EXPECT_EQ(id_of(of("screws", "00112233445566aa", 90)),
            id_of(of("nails", "00112233445566aa", 90)));
  EXPECT_NE(id_of(of("screws", "00112233445566aa", 90)),
            id_of(of("screws", "00112233445566ab", 90)));
  EXPECT_EQ(budget(of("screws", "00112233445566aa", 90)).steps, 90 / 32);
  EXPECT_NE(message_of([&] {
              check(trial(R"({"dataset": "folder"})"));
            }).find("\"source\" names their folder"),
            std::string::npos);
  const Trial before_looking = canonical(trial(R"({"dataset": "celeba", "class": "Eyeglasses"})"));
  EXPECT_EQ(id_of(trial_from_json(to_json(before_looking))), id_of(before_looking));
  EXPECT_EQ(problem_with("source", "a/b"), "'a/b' is not the name of a folder below --data");
  EXPECT_NE(problem_with("source", ".."), "no error");
}

}  // namespace
}  // namespace occam
