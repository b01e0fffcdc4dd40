#include "results/provenance.h"

#include <gmock/gmock.h>

#include <random>

#include "results/combine.h"
#include "results/printed_cell.h"
#include "tests/results/plan.h"

namespace occam {
namespace {

using testing::HasSubstr;

const Provenance kOrigin{"0.1.0",
                         "abc",
                         "1234",
                         "5678",
                         {"occam.db"},
                         {"--where", "variant=a --> b", "--format", "md"},
                         "2026-01-01T00:00:00Z"};

TEST(Provenance, IsReadBackFromEveryKindOfFile) {
  for (const StampStyle style : {StampStyle::latex, StampStyle::markdown, StampStyle::sidecar}) {
    const std::string stamp = stamp_text(kOrigin, style);
    const auto read = read_stamp(stamp, style);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->query, kOrigin.query);
    EXPECT_EQ(read->databases, kOrigin.databases);
    EXPECT_EQ(read->results, kOrigin.results);
    EXPECT_EQ(read->date, kOrigin.date);
  }
  EXPECT_FALSE(read_stamp("| a table |\n", StampStyle::markdown));
}

TEST(Provenance, IsACommentThatNoWordEnds) {
  const std::string stamp = stamp_text(kOrigin, StampStyle::markdown);
  EXPECT_EQ(stamp.find("-->"), stamp.size() - 4);
  EXPECT_EQ(without_stamp("| a |\n" + stamp, StampStyle::markdown), "| a |\n");
  EXPECT_EQ(without_stamp(stamp_text(kOrigin, StampStyle::latex) + "x\n", StampStyle::latex),
            "x\n");
}

TEST(Provenance, SaysByTheEndingWhereItStands) {
  EXPECT_EQ(stamp_style("a/b.tex"), StampStyle::latex);
  EXPECT_EQ(stamp_style("a/b.md"), StampStyle::markdown);
  EXPECT_EQ(stamp_style("a/b.csv"), StampStyle::sidecar);
}

TEST(Digest, IsOfTheResultsAndNotOfTheirOrder) {
  Plan plan;
  for (std::int64_t inlier = 0; inlier < 5; ++inlier) plan.done(trial(inlier), kKde, 0.5);
  plan.missing(trial(6), kKde);
  SweepResults shuffled = plan.sweep();
  std::shuffle(shuffled.results.begin(), shuffled.results.end(), std::mt19937(1));
  EXPECT_EQ(digest_of(plan.sweep()), digest_of(shuffled));
  shuffled.results.front().evaluation->auroc = 0.6;
  EXPECT_NE(digest_of(plan.sweep()), digest_of(shuffled));
  shuffled = plan.sweep();
  shuffled.missing.clear();
  EXPECT_NE(digest_of(plan.sweep()), digest_of(shuffled));
}

TEST(Difference, NamesTheLinesThatDiffer) {
  EXPECT_EQ(difference_of("a\nb\nc\n", "a\nb\nc\n"), "");
  EXPECT_EQ(difference_of("a\nb\nc\n", "a\nx\nc\nd\n"), "-2 b\n+2 x\n+4 d\n");
  EXPECT_NE(difference_of("a\n", "a"), "");
}

// ---- several databases ----

TEST(Combined, TakesWhatOneLacksFromTheOther) {
  Plan one, other;
  one.done(trial(0), kKde, 0.5).missing(trial(1), kKde);
  other.done(trial(1), kKde, 0.7).missing(trial(2), kKde).done(trial(0), kKde, 0.5);
  const SweepResults both = combined({one.sweep(), other.sweep()});
  ASSERT_EQ(both.results.size(), 2u);
  ASSERT_EQ(both.missing.size(), 1u);
  EXPECT_EQ(both.missing[0].trial_id, id_of(trial(2)));
  EXPECT_EQ(counts(ablation(both, kByBatchSize).cells[0][0]), "2/3 classes");
}

TEST(Combined, RefusesTwoScoresOfOneTrialThatDiffer) {
  const SweepResults one = Plan().done(trial(0), kKde, 0.5).sweep();
  const SweepResults other = Plan().done(trial(0), kKde, 0.6).sweep();
  EXPECT_THAT(message_of([&] {
                combined({one, other});
              }),
              testing::AllOf(HasSubstr(id_of(trial(0))), HasSubstr("has AUROC 0.5, average"),
                             HasSubstr("in database 2"), HasSubstr("--pool")));
  SweepResults third = one;
  third.results.front().evaluation->fpr95 = 0.125;
  EXPECT_THAT(
      message_of([&] {
        combined({one, third});
      }),
      HasSubstr("FPR95 0.25 in database 1 and AUROC 0.5, average precision 0.5, FPR95 0.125"));
  EXPECT_EQ(combined({one, other}, true).results.front().evaluation->auroc, 0.5);
}

TEST(Combined, GivesTheSameTableWhicheverComesSecond) {
  Plan one, other;
  for (std::int64_t inlier = 0; inlier < 5; ++inlier) {
    one.done(trial(inlier, 1), kKde, 0.1 * static_cast<double>(inlier + 1));
    other.done(trial(inlier, 2), kKde, 0.2 * static_cast<double>(inlier + 1) - 0.05);
  }
  EXPECT_EQ(ablation(combined({one.sweep(), other.sweep()}), kByBatchSize).cells[0][0].mean,
            ablation(combined({other.sweep(), one.sweep()}), kByBatchSize).cells[0][0].mean);
}

}  // namespace
}  // namespace occam
