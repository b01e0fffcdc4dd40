#include "worker/train/quiet.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace occam {
namespace {

TEST(Quiet, LetsStepsPassWhereNobodyWantsIt) { Quiet::wait(); }

TEST(Quiet, HoldsStepsUntilTheLastWhoWantsItIsDone) {
  auto one = std::make_unique<Quiet>(), other = std::make_unique<Quiet>();
  std::atomic<int> steps = 0;
  std::thread training([&] {
    for (int i = 0; i < 3; ++i) {
      Quiet::wait();
      ++steps;
    }
  });
  one.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(steps, 0);
  other.reset();
  training.join();
  EXPECT_EQ(steps, 3);
}

}  // namespace
}  // namespace occam
