#include "experiments/figure_spec.h"

#include <gmock/gmock.h>

#include "experiments/json_document.h"
#include "experiments/spec.h"

namespace occam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    figure_spec(parse_document(text, "a.json"));
  } catch (const UsageError& problem) {
    return problem.what();
  }
  return "no error";
}

TEST(FigureSpec, TakesTheWordsOfPlot) {
  const FigureSpec heat = figure_spec(parse_document(
      R"({"kind": "heat", "x": "batch_size", "y": "learning_rate", "by": ["dataset", "loss"],
          "where": {"seed": [1, 2], "classifier": "kde"}, "caption": "Two axes"})",
      "a.json"));
  EXPECT_EQ(heat.kind, "heat");
  EXPECT_EQ(heat.x, "batch_size");
  EXPECT_EQ(heat.y, "learning_rate");
  EXPECT_THAT(heat.by, ElementsAre("dataset", "loss"));
  ASSERT_EQ(heat.where.size(), 2u);
  EXPECT_EQ(heat.where[0].first, "seed");
  EXPECT_THAT(heat.where[0].second, ElementsAre("1", "2"));
  EXPECT_EQ(heat.caption, "Two axes");
  EXPECT_THAT(figure_spec(parse_document(R"({"x": "seed", "by": "loss,classifier"})", "a")).by,
              ElementsAre("loss", "classifier"));
  EXPECT_EQ(figure_spec(parse_document(R"({"kind": "curves", "y": "accuracy"})", "a")).y,
            "accuracy");
}

TEST(FigureSpec, SaysWhereAndWhatIsWrong) {
  EXPECT_THAT(refusal(R"({"x": "batchsize"})"), HasSubstr("a.json:1: x: 'batchsize' is no field"));
  EXPECT_THAT(refusal(R"({"x": "seed", "by": ["los"]})"), HasSubstr("did you mean 'loss'"));
  EXPECT_THAT(refusal(R"({"x": "seed", "kind": "line"})"), HasSubstr("did you mean 'lines'"));
  EXPECT_THAT(refusal(R"({"x": "seed", "colour": "red"})"), HasSubstr("colour"));
  EXPECT_THAT(refusal(R"({"by": "loss"})"), HasSubstr("needs an axis"));
  EXPECT_THAT(refusal(R"({"kind": "curves", "x": "seed"})"), HasSubstr("epochs"));
  EXPECT_THAT(refusal(R"({"x": "seed", "where": {"loss": []}})"), HasSubstr("empty list"));
  EXPECT_THAT(refusal(R"([1])"), HasSubstr("an object"));
}

TEST(FigureSpec, StandsInASpecUnderFigures) {
  const std::string trial = R"("trial": {"dataset": "synthetic", "class": 0, "epochs": 1})";
  const Spec spec = parse_spec(R"({"name": "a", )" + trial +
                                   R"(, "figures": {"one": {"x": "seed"}, "two": {"x": "depth"}}})",
                               "a.json");
  ASSERT_EQ(spec.figures.size(), 2u);
  EXPECT_EQ(spec.figures[1].first, "two");
  EXPECT_EQ(spec.figures[1].second.x, "depth");
  EXPECT_THROW(parse_spec(R"({"name": "a", )" + trial + R"(, "figures": [1]})", "a"), UsageError);
}

}  // namespace
}  // namespace occam
