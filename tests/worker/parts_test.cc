#include "worker/parts.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

using cuda::Part;

// Of eight trials, two on each of four parts.
constexpr double kEighth = 1.0 / 8;

Parts quarters(std::initializer_list<Part> taken) {
  Parts parts(4);
  for (const Part part : taken) parts.enter(part);
  return parts;
}

TEST(Parts, AreTheSmallestThatHoldAShare) {
  EXPECT_EQ(parts_for(1.0 / 8, 4), 4);
  EXPECT_EQ(parts_for(1.0 / 4, 4), 4);
  EXPECT_EQ(parts_for(3.0 / 8, 4), 2);
  EXPECT_EQ(parts_for(0.5, 4), 2);
  EXPECT_EQ(parts_for(5.0 / 8, 4), 1);
  EXPECT_EQ(parts_for(1, 4), 1);
  EXPECT_EQ(parts_for(1.0 / 3, 3), 3);
  EXPECT_EQ(parts_for(0.5, 3), 1) << "thirds cannot be halves";
  EXPECT_EQ(parts_for(0.1, 1), 1);
}

TEST(Parts, AreTakenWhereTheFewestTrialsAre) {
  Parts parts(4);
  EXPECT_EQ(parts.choose(kEighth), (Part{0, 4}));
  parts.enter({0, 4});
  EXPECT_EQ(parts.choose(kEighth), (Part{1, 4}));
  EXPECT_EQ(parts.choose(0.5), (Part{1, 2}));
  EXPECT_EQ(parts.choose(1), (Part{0, 1}));
  parts.enter({1, 2});
  EXPECT_EQ(parts.choose(kEighth), (Part{1, 4})) << "a half covers two quarters";
  parts.enter({1, 4});
  parts.leave({0, 4});
  EXPECT_EQ(parts.choose(kEighth), (Part{0, 4}));
}

TEST(Parts, AreBetterThatAreEmptierOrLarger) {
  Parts parts = quarters({{0, 4}, {0, 4}});
  // The last two of a sweep get half of the device each, and then the last all of it.
  EXPECT_EQ(parts.better({0, 4}, 0.5), (Part{1, 2}));
  parts.leave({0, 4});
  parts.enter({1, 2});
  EXPECT_EQ(parts.better({0, 4}, 0.5), (Part{0, 2}));
  parts.leave({0, 4});
  parts.enter({0, 2});
  EXPECT_EQ(parts.better({0, 2}, 0.5), std::nullopt);
  parts.leave({1, 2});
  EXPECT_EQ(parts.better({0, 2}, 1), (Part{0, 1}));
  EXPECT_EQ(quarters({{0, 4}, {0, 4}, {1, 4}, {2, 4}}).better({0, 4}, kEighth), (Part{3, 4}));
}

TEST(Parts, AreNoBetterForWhatOneTrialWouldOnlyTakeFromAnother) {
  EXPECT_EQ(quarters({{2, 4}}).better({2, 4}, kEighth), std::nullopt) << "as empty as its own";
  EXPECT_EQ(quarters({{0, 4}, {0, 4}, {1, 4}, {2, 4}, {3, 4}}).better({0, 4}, kEighth),
            std::nullopt)
      << "two there as here";
  // A half is twice a quarter, shared by two it is as much.
  EXPECT_EQ(quarters({{0, 4}, {1, 4}, {2, 4}}).better({0, 4}, 1.0 / 3), std::nullopt);
}

TEST(Parts, AreBetterFromFourTenthsMore) {
  Parts parts(2);
  for (int i = 0; i < 3; ++i) parts.enter({0, 2});
  parts.enter({1, 2});
  EXPECT_EQ(parts.better({0, 2}, kEighth), (Part{1, 2})) << "a half rather than a third of it";
  parts.enter({0, 2});
  parts.enter({1, 2});
  EXPECT_EQ(parts.better({0, 2}, kEighth), std::nullopt) << "a third rather than a fourth of it";
}

TEST(Parts, CountTheMostCrowdedThatALargerOneCovers) {
  Parts parts = quarters({{0, 2}, {1, 4}});
  EXPECT_EQ(parts.better({0, 2}, 0.5), (Part{1, 2})) << "alone on a quarter of its half only";
  // The emptier half has both its trials on one quarter.
  parts = quarters({{0, 2}, {0, 2}, {2, 4}, {2, 4}});
  EXPECT_EQ(parts.better({0, 2}, 0.5), std::nullopt);
}

TEST(Parts, OfAnUndividedDeviceAreNeverBetter) {
  Parts whole(1);
  for (int trials = 0; trials < 8; ++trials) {
    whole.enter({0, 1});
    EXPECT_EQ(whole.better({0, 1}, kEighth), std::nullopt);
    EXPECT_EQ(whole.better({0, 1}, 1), std::nullopt);
  }
  const Parts parts = quarters({{0, 1}, {0, 4}, {0, 4}});
  EXPECT_EQ(parts.better({0, 1}, 1), std::nullopt) << "a trial that takes the whole device";
}

TEST(Parts, ThatTurnedOutNotToBeThereCountForNothing) {
  Parts parts(1);
  parts.enter({3, 4});
  parts.enter({1, 2});
  EXPECT_EQ(parts.better({3, 4}, kEighth), std::nullopt);
  parts.enter({0, 1});
  parts.leave({3, 4});
  EXPECT_EQ(parts.better({0, 1}, 1), std::nullopt);
  // Those who were on the whole device before were counted there.
  for (int i = 0; i < 3; ++i) parts.leave({0, 1});
  EXPECT_EQ(parts.better({0, 1}, 1), std::nullopt);
  EXPECT_EQ(parts.choose(kEighth), (Part{0, 1}));
}

}  // namespace
}  // namespace occam
