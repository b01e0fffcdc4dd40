#include "results/planned_tables.h"

#include <gmock/gmock.h>

#include "tests/message_of.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// What checking a sweep with this table says; the table stands on line 4.
std::string said(const std::string& table) {
  const Spec spec = parse_spec(R"({"name": "x", "trial": {"dataset": "synthetic", "epochs": 5},
"grid": {"class": "all", "seed": [1, 2], "batch_size": [16, 32], "loss": ["contrastive", "rotation"]},
"evaluate": {"classifiers": ["kde", {"name": "oc-svm-rbf", "gamma_scale": 1, "nu": [0.1, 0.5]}]}, "tables":
{"main": )" + table + "}}",
                               "spec.json");
  return message_of([&] { check_tables(spec, expand(spec)); });
}

TEST(CheckTables, TakesATableThatPartsAllThatVaries) {
  EXPECT_EQ(said(R"({"rows": "batch_size", "columns": "loss,classifier,parameters"})"), "no error");
}

TEST(CheckTables, RefusesACellThatWouldMixTrialsWithItsPlaceInTheSpec) {
  EXPECT_THAT(said(R"({"rows": "batch_size", "columns": "classifier,parameters"})"),
              AllOf(StartsWith("spec.json:4: tables.main: the cell batch_size=16, "),
                    HasSubstr("would mix loss contrastive, rotation")));
}

TEST(CheckTables, QuotesTheHintThatAShellWouldTakeApart) {
  EXPECT_THAT(said(R"({"rows": "batch_size", "columns": "loss,classifier"})"),
              HasSubstr("--where 'parameters=gamma_scale=1 nu=0.1'"));
}

TEST(CheckTables, RefusesAConditionThatNoTrialMeets) {
  const std::string rest = R"("rows": "batch_size", "columns": "loss,classifier,parameters")";
  EXPECT_THAT(
      said("{" + rest + R"(, "where": {"loss": "rotatoin"}})"),
      AllOf(StartsWith("spec.json:4: tables.main: "), HasSubstr("did you mean 'rotation'")));
  EXPECT_THAT(said("{" + rest + R"(, "references": {"first": {"epochs": 0}}})"),
              HasSubstr("reference 'first': no trial of the sweep has epochs=0; epochs is: 5"));
}

TEST(CheckTables, TakesLabelsOfValuesHoweverTheyAreSpelledButOfNoneThatNoTrialHas) {
  const std::string rest = R"("rows": "batch_size", "columns": "loss,classifier,parameters")";
  EXPECT_EQ(said("{" + rest + R"(, "labels": {"loss": {"rotation": "Rot."}, "seed": {"2": "b"},
"batch_size": {"16.0": "16 rows"}, "learning_rate": "rate",
"augmentations": {"cnr.5+hflip+jitter_b.4_c.4_s.4_h.4+gray.2": "Released"}}})"),
            "no error");
  EXPECT_EQ(said("{" + rest + R"(, "labels": {"loss": {"rotatoin": "Rot."}}})"),
            "spec.json:4: tables.main: labels: no trial of the sweep has loss=rotatoin; loss is: "
            "contrastive, rotation (did you mean 'rotation'?)");
}

TEST(CheckTables, TakesAChoiceBeforeThereIsAnythingToChooseBy) {
  const std::string axes =
      R"({"rows": "loss", "columns": "classifier,parameters", "select": "batch_size")";
  EXPECT_EQ(said(axes + R"(, "on": "test"})"), "no error");
  EXPECT_THAT(said(axes + R"(, "on": "validation"})"),
              HasSubstr("trials with \"validation\": true bring them"));
  EXPECT_THAT(said(R"({"rows": "loss", "columns": "classifier,parameters", "select": "loss"})"),
              HasSubstr("is an axis of the table"));
  const Spec spec = parse_spec(R"({"name": "x",
"trial": {"dataset": "fashion-mnist", "validation": true, "class": 0},
"grid": {"batch_size": [16, 32]}, "evaluate": {"classifiers": ["kde"]},
"tables": {"main": {"rows": "dataset", "columns": "classifier", "select": "batch_size"}}})",
                               "spec.json");
  EXPECT_EQ(message_of([&] { check_tables(spec, expand(spec)); }), "no error");
}

TEST(CheckTables, KnowsEverySeedWhereATableAsksForOne) {
  const std::string rest = R"("columns": "loss,classifier,parameters")";
  EXPECT_EQ(said(R"({"rows": "batch_size", "where": {"seed": 2}, )" + rest + "}"), "no error");
  EXPECT_EQ(said(R"({"rows": "batch_size,seed", )" + rest + "}"), "no error");
  EXPECT_THAT(said(R"({"rows": "batch_size", "where": {"seed": 3}, )" + rest + "}"),
              HasSubstr("seed is: 1, 2"));
}

}  // namespace
}  // namespace occam
