// These tests run as the worker does (worker/main.cc): on one thread, for which equal bits are
// promised, and keeping the pages of activations.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <malloc.h>

namespace occam {
namespace {

class LikeTheWorker : public testing::Environment {
 public:
  void SetUp() override {
    at::set_num_threads(1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
  }
};
[[maybe_unused]] const auto* const kLikeTheWorker =
    testing::AddGlobalTestEnvironment(new LikeTheWorker);

TEST(Environment, OfTheseTestsIsOneThread) { EXPECT_EQ(at::get_num_threads(), 1); }

}  // namespace
}  // namespace occam
