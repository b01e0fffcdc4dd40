#include "orchestrator/progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace occam {
namespace {

using namespace std::chrono_literals;

TEST(DurationText, ShowsTheTwoOrThreeLargestUnits) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(41.4), "0:41");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(727), "12:07");
  EXPECT_EQ(duration_text(3599.6), "1:00:00");
  EXPECT_EQ(duration_text(3 * 3600 + 5 * 60), "3:05:00");
  EXPECT_EQ(duration_text(47 * 3600 + 3599), "47:59:59");
  EXPECT_EQ(duration_text(48 * 3600), "2 d 0 h");
  EXPECT_EQ(duration_text(52.5 * 3600), "2 d 4 h");
}

TEST(DurationText, TakesWhatIsNoDurationForNone) {
  EXPECT_EQ(duration_text(-5), "0:00");
  EXPECT_EQ(duration_text(std::nan("")), "0:00");
}

// What a progress line writes when stderr is no terminal.
class ProgressText : public testing::Test {
 protected:
  ProgressText() { testing::internal::CaptureStderr(); }
  std::string shown() {
    const std::string text = testing::internal::GetCapturedStderr();
    testing::internal::CaptureStderr();
    return text;
  }
  ~ProgressText() override { testing::internal::GetCapturedStderr(); }
  const ProgressLine::Time start_{};
};

TEST_F(ProgressText, SaysWhatIsDoneAndHowLongItWillTake) {
  ProgressLine line(false, start_);
  line.show({48, 12, 1, 2, 100, 25, 410.2}, start_ + 60s);
  EXPECT_EQ(shown(), "12/48 trials · 1 failed · 3:00 left · 2 running · 410 images/s\n");
}

TEST_F(ProgressText, TakesTheSpeedFromWhatThisRunHasDone) {
  ProgressLine line(false, start_);
  line.show({48, 12, 0, 2, 100, 50, 0, 25}, start_ + 60s);
  EXPECT_EQ(shown(), "12/48 trials · 2:00 left · 2 running\n");
}

TEST_F(ProgressText, GuessesNoEndFromAlmostNothing) {
  ProgressLine line(false, start_);
  line.show({48, 0, 0, 2, 100, 0.1, 0}, start_ + 60s);
  EXPECT_EQ(shown(), "0/48 trials · 2 running\n");
}

TEST_F(ProgressText, ComesAtEveryTenthAndAtLeastEveryMinute) {
  ProgressLine line(false, start_);
  line.show({20, 0, 0, 1}, start_ + 1s);
  EXPECT_EQ(shown(), "");
  line.show({20, 2, 0, 1}, start_ + 2s);
  EXPECT_EQ(shown(), "2/20 trials · 1 running\n");
  line.show({20, 3, 0, 1}, start_ + 3s);
  EXPECT_EQ(shown(), "");
  line.show({20, 3, 0, 1}, start_ + 63s);
  EXPECT_EQ(shown(), "3/20 trials · 1 running\n");
}

TEST_F(ProgressText, IsNothingWhenQuiet) {
  ProgressLine line(true, start_);
  line.show({20, 20, 0, 0}, start_ + 3600s);
  line.say("a trial collapsed");
  line.finish();
  EXPECT_EQ(shown(), "");
}

TEST_F(ProgressText, SaysWhatWentWrongAlsoWhenQuiet) {
  ProgressLine line(true, start_);
  line.warn("a trial failed");
  EXPECT_EQ(shown(), "a trial failed\n");
}

TEST_F(ProgressText, GivesWhatIsSaidALineOfItsOwn) {
  ProgressLine line(false, start_);
  line.say("a trial failed");
  EXPECT_EQ(shown(), "a trial failed\n");
}

}  // namespace
}  // namespace occam
