#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <vector>

namespace occam {

// A worker that is a line of shell.
inline std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

// A child that has left leaves a pipe that nobody reads, as in the program.
class ChildTest : public testing::Test {
 protected:
  ChildTest() { signal(SIGPIPE, SIG_IGN); }

  // Asks again and again, a millisecond apart, until it is so; false after ten seconds.
  template <class Step>
  static bool eventually(Step&& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      poll(nullptr, 0, 1);
    }
    return true;
  }
};

}  // namespace occam
