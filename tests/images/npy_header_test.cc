#include "images/npy_header.h"

#include <gtest/gtest.h>

#include "tests/message_of.h"

namespace occam {
namespace {

TEST(NpyHeader, ComesBackAsItWasWritten) {
  const std::string text = npy_header("<f4", {3, 1LL << 40});
  EXPECT_EQ(text.size() % 64, 0U);
  const NpyHeader header = read_npy_header(text + "more");
  EXPECT_EQ(header.kind, "<f4");
  EXPECT_EQ(header.sizes, (std::vector<std::int64_t>{3, 1LL << 40}));
  EXPECT_EQ(header.bytes, text.size());
}

TEST(NpyHeader, OfMoreNumbersThanCanBeCountedIsRefused) {
  EXPECT_EQ(message_of([] {
              read_npy_header(npy_header("|u1", {1LL << 32, 1LL << 32}));
            }),
            "claims to hold more numbers than any file: 4294967296, 4294967296, ");
  std::string text = npy_header("|u1", {1234567890123456789, 1});
  text.replace(text.find("1234567890123456789"), 19, "9999999999999999999");
  EXPECT_EQ(message_of([&] { read_npy_header(text); }),
            "claims to hold more numbers than any file: 9999999999999999999, 1, ");
}

}  // namespace
}  // namespace occam
