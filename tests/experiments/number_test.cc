#include "experiments/number.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

TEST(Spelled, IsTheShortestTextThatAUserWouldWrite) {
  EXPECT_EQ(spelled(3e-4), "3e-4");
  EXPECT_EQ(spelled(0.4), "0.4");
  EXPECT_EQ(spelled(32.0), "32");
  EXPECT_EQ(spelled(1e-10), "1e-10");
  EXPECT_EQ(spelled(1e300), "1e+300");
  EXPECT_EQ(spelled(-2.5e-7), "-2.5e-7");
}

TEST(Spelled, ReadsBackAsTheSameNumber) {
  for (const double value : {3e-4, 1.0 / 3, 5e-324, 1.7976931348623157e308, -1e-5, 0.0}) {
    double read = 1;
    EXPECT_TRUE(read_number(spelled(value), read)) << value;
    EXPECT_EQ(read, value);
  }
}

}  // namespace
}  // namespace occam
