#include "worker/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace occam {
namespace {

using Block = std::array<std::uint32_t, 4>;

Block philox_of(const Block& counter, std::uint32_t key0, std::uint32_t key1) {
  std::uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
  philox(x, key0, key1);
  return {x[0], x[1], x[2], x[3]};
}

// Sum of (seen - expected)^2 / expected over equally likely bins.
double chi_square(const std::vector<int>& seen, int draws) {
  const double expected = static_cast<double>(draws) / static_cast<double>(seen.size());
  double sum = 0;
  for (int count : seen) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// The vectors that Random123 publishes (kat_vectors, philox4x32 10).
TEST(Philox, GivesThePublishedBlocks) {
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox_of({0, 0, 0, 0}, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox_of({ones, ones, ones, ones}, ones, ones),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox_of({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Draws, AreThePhiloxBlocksOfSeedPurposeAndPlace) {
  const Draws draws(0xa4093822, static_cast<Purpose>(0x299f31d0), 0x85a308d3, 0x13198a2e,
                    0x03707344);
  constexpr std::uint32_t first = 4U * 0x243f6a88U;
  EXPECT_EQ(draws.bits(first), 0xd16cfe09);
  EXPECT_EQ(draws.bits(first + 1), 0x94fdcceb);
  EXPECT_EQ(draws.bits(first + 2), 0x5001e420);
  EXPECT_EQ(draws.bits(first + 3), 0x24126ea1);
}

TEST(Draws, DifferWheneverAnyOfTheirNamesDoes) {
  std::set<std::uint32_t> seen;
  seen.insert(Draws(1, Purpose::shuffle, 2, 3, 4).bits(5));
  seen.insert(Draws(9, Purpose::shuffle, 2, 3, 4).bits(5));
  seen.insert(Draws(1, Purpose::augmentation, 2, 3, 4).bits(5));
  seen.insert(Draws(1, Purpose::shuffle, 9, 3, 4).bits(5));
  seen.insert(Draws(1, Purpose::shuffle, 2, 9, 4).bits(5));
  seen.insert(Draws(1, Purpose::shuffle, 2, 3, 9).bits(5));
  seen.insert(Draws(1, Purpose::shuffle, 2, 3, 4).bits(9));
  EXPECT_EQ(seen.size(), 7);
}

TEST(Draws, OfUniformFillZeroToOneEvenly) {
  constexpr int draws = 100000;
  std::vector<int> seen(100);
  const Draws source(1, Purpose::augmentation, 0);
  for (std::uint32_t i = 0; i < draws; ++i) {
    const float u = source.uniform(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++seen[static_cast<std::size_t>(100 * u)];
  }
  EXPECT_LT(chi_square(seen, draws), 148.2);  // 99 degrees of freedom, p = 0.001
  EXPECT_GT(chi_square(seen, draws), 60.0);   // nor too even, p = 0.001
}

// The largest 24 bits must not round up to 1.
TEST(Draws, OfUniformAreMultiplesOfTwoToTheMinus24) {
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const float scaled = Draws(3, Purpose::shuffle, i).uniform(0) * 16777216.0F;
    EXPECT_EQ(scaled, static_cast<float>(static_cast<std::uint32_t>(scaled)));
    EXPECT_LE(scaled, 16777215.0F);
  }
}

TEST(Draws, OfBelowHitEveryValueEquallyOftenAndNoOther) {
  constexpr int draws = 34000;
  std::vector<int> seen(17);
  for (std::uint32_t row = 0; row < draws; ++row)
    ++seen.at(Draws(7, Purpose::augmentation, 3, row).below(0, 17));
  EXPECT_LT(chi_square(seen, draws), 39.25);  // 16 degrees of freedom, p = 0.001
  EXPECT_EQ(Draws(7, Purpose::augmentation, 0).below(0, 1), 0);
}

}  // namespace
}  // namespace occam
