#include "results/row_filter.h"

#include <gmock/gmock.h>

#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;

class RowFilter : public StoreTest {
 protected:
  RowFilter() : store_(path_, Store::Mode::write) {
    Trial rotating = trial(1);
    rotating.loss = Loss::rotation;
    rotating.weight_decay = 1e-3;
    trials_ = {trial(0), trial(5, 1, 64), canonical(rotating), trial(9)};
    store_.record_sweep(spec(), expansion(trials_));
    for (std::size_t i = 0; i < 3; ++i)
      store_.record_outcome(outcome(trials_[i], begin(store_, trials_[i]),
                                    {evaluation(kKde, 0.5 + 0.125 * static_cast<double>(i))}));
  }
  // The scores that the conditions leave.
  std::string scores(const FieldValues& where) const {
    std::vector<std::string> all;
    const std::string sql = select_where(store_, "results", where);
    for (const Row& row : store_.query("SELECT auroc FROM (" + sql + ") ORDER BY 1").values)
      all.push_back(row[0].dump());
    return joined(all, " ");
  }
  std::string refusal(const std::string& field, const std::string& value) const {
    return message_of([&] { select_where(store_, "results", {{field, {value}}}); });
  }
  Store store_;
  std::vector<Trial> trials_;
};

TEST_F(RowFilter, TakesEverythingWithoutConditions) { EXPECT_EQ(scores({}), "0.5 0.625 0.75"); }

TEST_F(RowFilter, ChoosesByAnyFieldAndAnyOfItsValues) {
  EXPECT_EQ(scores({{"loss", {"rotation"}}}), "0.75");
  EXPECT_EQ(scores({{"batch_size", {"32", "64"}}, {"loss", {"contrastive"}}}), "0.5 0.625");
  EXPECT_EQ(scores({{"parameters", {"{}"}}, {"status", {"completed"}}}), "0.5 0.625 0.75");
}

TEST_F(RowFilter, TakesParametersAsTablesPrintThem) {
  EXPECT_EQ(scores({{"parameters", {"defaults"}}}), "0.5 0.625 0.75");
  EXPECT_THAT(refusal("parameters", "k=5"), HasSubstr("no such results"));
  EvaluationRequest five{Features::pool, Classifier::nearest, {.k = 5}};
  store_.record_sweep(spec(), expansion(trials_, {kKde, five}));
  store_.record_outcome(outcome(trials_[3], begin(store_, trials_[3]), {evaluation(five, 0.25)}));
  EXPECT_EQ(scores({{"parameters", {"k=5"}}}), "0.25");
  EXPECT_EQ(scores({{"parameters", {"k=5."}}}), "0.25");
  EXPECT_THAT(refusal("parameters", "k=4"), HasSubstr("parameters is: k=5, defaults"));
  EXPECT_EQ(scores({{"parameters", {"{ \"k\": 5 }"}}}), "0.25");
  EXPECT_EQ(scores({{"parameters", {"k=5", "defaults"}}}), "0.25 0.5 0.625 0.75");
  five.parameters = {.test_limit = 7, .k = 5};
  store_.record_sweep(spec(), expansion(trials_, {kKde, five}));
  store_.record_outcome(outcome(trials_[3], begin(store_, trials_[3]), {evaluation(five, 0.125)}));
  EXPECT_EQ(scores({{"parameters", {"k=5"}}}), "0.125") << "tables print no limit of all";
}

TEST_F(RowFilter, ComparesNumbersHoweverTheyAreSpelled) {
  EXPECT_EQ(scores({{"weight_decay", {"0.001"}}}), "0.75");
  EXPECT_EQ(scores({{"weight_decay", {"1e-3"}}}), "0.75");
  EXPECT_EQ(scores({{"width", {"1"}}, {"batch_size", {"64.0"}}}), "0.625");
}

TEST_F(RowFilter, TakesTrueAndFalseOfWhatIsOneOfThem) {
  EXPECT_EQ(scores({{"validation", {"false"}}}), "0.5 0.625 0.75");
  EXPECT_EQ(scores({{"validation", {"0"}}}), "0.5 0.625 0.75");
  EXPECT_THAT(refusal("validation", "true"), HasSubstr("no such results"));
  EXPECT_THAT(refusal("seed", "true"), HasSubstr("seed is: 1"));
}

TEST_F(RowFilter, TakesAClassByItsNameToo) {
  EXPECT_EQ(scores({{"class", {"sandal"}}}), "0.625");
  EXPECT_EQ(scores({{"class", {"5"}}}), "0.625");
  EXPECT_EQ(scores({{"class_name", {"sandal"}}}), "0.625");
}

TEST_F(RowFilter, FindsWhereAFieldDoesNotApply) {
  EXPECT_EQ(scores({{"temperature", {"–"}}}), "0.75");
}

TEST_F(RowFilter, ATextOfDigitsIsNoNumber) {
  // The variant "64" is not the number 64, and the other way round.
  Expansion named = expansion({trial(0), trial(2)});
  named.variants = {"64", "6.4e1"};
  named.trials[1].variant = 1;
  store_.record_sweep(spec("named"), named);
  store_.record_outcome(outcome(trial(2), begin(store_, trial(2)), {evaluation(kKde, 0.25)}));
  EXPECT_EQ(scores({{"sweep", {"named"}}, {"variant", {"64"}}}), "0.5");
  EXPECT_EQ(scores({{"sweep", {"named"}}, {"variant", {"6.4e1"}}}), "0.25");
  EXPECT_THAT(refusal("variant", "64.0"), HasSubstr("has no such results"));
}

TEST_F(RowFilter, AValueCannotEndTheStatement) {
  EXPECT_THAT(refusal("loss", "x') OR ('1'='1"), HasSubstr("has no such results"));
  EXPECT_THAT(refusal("loss\" OR 1 OR \"", "x"), HasSubstr("is no column"));
}

TEST_F(RowFilter, RefusesAValueThatNoTrialHasButNotOneWithoutResultsYet) {
  EXPECT_THAT(refusal("loss", "rotatoin"), HasSubstr("did you mean 'rotation'"));
  EXPECT_THAT(refusal("batch_size", "128"), HasSubstr("batch_size is: 32, 64"));
  EXPECT_THAT(refusal("batchsize", "32"), HasSubstr("did you mean 'batch_size'"));
  EXPECT_EQ(scores({{"class", {"9"}}}), "");
}

TEST_F(RowFilter, AsksForAnyStateThatTrialsCanBeIn) {
  EXPECT_EQ(store_.query(select_where(store_, "trials", {{"state", {"failed"}}})).values.size(),
            0u);
  EXPECT_EQ(store_.query(select_where(store_, "trials", {{"state", {"waiting"}}})).values.size(),
            1u);
  EXPECT_THAT(message_of([&] {
                select_where(store_, "trials", {{"state", {"fialed"}}});
              }),
              HasSubstr("has no such trials"));
}

TEST_F(RowFilter, KnowsTheDocumentedViewsAndNoOther) {
  for (const std::string& view : documented_views())
    EXPECT_NO_THROW(store_.query(select_where(store_, view, {}))) << view;
  EXPECT_THAT(message_of([&] { select_where(store_, "result", {}); }),
              HasSubstr("did you mean 'results'"));
  EXPECT_THAT(message_of([&] { select_where(store_, "sqlite_master", {}); }),
              HasSubstr("none of the views"));
}

}  // namespace
}  // namespace occam
