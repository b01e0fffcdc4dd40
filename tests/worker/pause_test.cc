#include "worker/train/pause.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace occam {
namespace {

TEST(Pause, IsWaitedForUntilTheLastHasEnded) {
  Pause::wait_for_end();  // there is none
  auto first = std::make_unique<Pause>(), second = std::make_unique<Pause>();
  std::atomic<bool> goes_on{false};
  std::thread training([&] {
    Pause::wait_for_end();
    goes_on = true;
  });
  first.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(goes_on);
  second.reset();
  training.join();
  EXPECT_TRUE(goes_on);
}

TEST(Pause, IsForWhatIsDoneForTheFirstTime) {
  EXPECT_NE(pause_at_first("one"), nullptr);
  EXPECT_EQ(pause_at_first("one"), nullptr);
  EXPECT_NE(pause_at_first("another"), nullptr);
  Pause::wait_for_end();
}

}  // namespace
}  // namespace occam
