#include "orchestrator/missing_work.h"

#include <gmock/gmock.h>

namespace occam {
namespace {

const Expansion& sweep() {
  static const Expansion all = expand(parse_spec(
      R"({"name": "x", "trial": {"dataset": "synthetic", "class": 0, "epochs": 5},
          "grid": {"seed": [1, 2, 3, 4]}, "evaluate": {"classifiers": ["kde", "gde"]}})",
      "spec.json"));
  return all;
}

MissingWork missing(const std::vector<TrialHistory>& histories) {
  return missing_work(sweep(), histories, "work");
}

TEST(MissingWork, LeavesOutWhatIsDoneDivergedOrCancelled) {
  auto histories = no_histories(sweep());
  histories[0] = {0, {1}, OutcomeStatus::completed, {}};
  histories[1] = {0, {2}, OutcomeStatus::diverged, {}};
  histories[2].cancelled = true;
  const MissingWork work = missing(histories);
  ASSERT_EQ(work.starts.size(), 1U);
  EXPECT_EQ(work.starts[0].config.seed, 4);
  EXPECT_EQ(work.tasks[0].seed_rank, 3);
  EXPECT_EQ(to_run_text(work), "1 to run, 1 cancelled");
}

TEST(MissingWork, SaysWhichTrialsAreTrainedAgainAndForWhat) {
  auto histories = no_histories(sweep());
  const auto wanted = histories[0].missing;
  histories[0] = {0, {1}, OutcomeStatus::completed, wanted, {wanted[1]}};
  EXPECT_EQ(to_run_text(missing(histories)), "4 to run: 3 new, 1 trained again for gde");
}

TEST(MissingWork, CountsTrialsThatHaveUsedUpTheirAttemptsAsFailed) {
  auto histories = no_histories(sweep());
  histories[0].failed_attempts = 3;
  histories[1].failed_attempts = 2;
  MissingWork work = missing_work(sweep(), histories, "work", {.limit = 2});
  // Kept at the end, for a retry while the others run; the limit is of those that run.
  ASSERT_EQ(work.tasks.size(), 3U);
  EXPECT_EQ(work.starts[2].config.seed, 1);
  EXPECT_EQ(to_run_text(work), "2 to run, 1 failed");
  drop_failed(work);
  EXPECT_EQ(work.starts.size(), 2U);
  EXPECT_EQ(to_run_text(work), "2 to run");
  EXPECT_EQ(missing_work(sweep(), histories, "work", {.max_attempts = 4}).failed, 0U);
  EXPECT_EQ(missing_work(sweep(), histories, "work", {.max_attempts = 2}).failed, 2U);
}

TEST(DriftText, ListsWhatAChangedSpecAddsAndOrphans) {
  EXPECT_EQ(drift_text({}), "");
  EXPECT_EQ(drift_text({.known = true, .kept = 4}), "");
  const std::string text = drift_text({.known = true,
                                       .kept = 4,
                                       .added = 1,
                                       .orphaned = 5,
                                       .orphaned_outcomes = 2,
                                       .added_examples = {"{a}"},
                                       .orphaned_examples = {"{b}", "{c}", "{d}"}});
  EXPECT_THAT(text, testing::AllOf(testing::HasSubstr("4 trials kept, 1 new, 5 orphaned"),
                                   testing::HasSubstr("  new: {a}\n  orphaned: {b}\n"),
                                   testing::HasSubstr("… and 2 more"),
                                   testing::HasSubstr("2 orphaned trials have results")));
}

}  // namespace
}  // namespace occam
