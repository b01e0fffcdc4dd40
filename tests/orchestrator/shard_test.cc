#include "orchestrator/shard.h"

#include <gtest/gtest.h>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "tests/message_of.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

TEST(Shard, PartsAreTheSweepAndShareNothing) {
  std::vector<Trial> trials;
  for (int inlier = 0; inlier < 7; ++inlier)
    for (const int batch : {8, 16, 32, 64}) trials.push_back(trial(inlier, 1, batch));
  const Expansion all = expansion(trials);
  for (const int count : {1, 3, 4, 40}) {
    std::unordered_set<std::string> seen;
    std::size_t largest = 0, smallest = trials.size();
    for (int number = 1; number <= count; ++number) {
      const auto part = trials_of({number, count}, all);
      seen.insert(part.begin(), part.end());
      largest = std::max(largest, part.size());
      smallest = std::min(smallest, part.size());
    }
    EXPECT_EQ(seen.size(), trials.size());
    EXPECT_LE(largest - smallest, 1u);
  }
}

TEST(Shard, PartsTakeAboutAsLong) {
  std::vector<Trial> trials;
  for (int epochs = 1; epochs <= 64; ++epochs) {
    trials.push_back(trial(0));
    trials.back().epochs = epochs;
  }
  double all = 0, first = 0;
  const auto part = trials_of({1, 4}, expansion(trials));
  for (const Trial& one : trials) {
    all += training_macs(one);
    if (part.count(id_of(one))) first += training_macs(one);
  }
  EXPECT_NEAR(first / all, 0.25, 0.01);
}

TEST(Shard, IsAPartOfSoMany) {
  EXPECT_EQ(parse_shard("2/4").number, 2);
  EXPECT_EQ(parse_shard("2/4").count, 4);
  for (const char* wrong : {"", "2", "0/4", "5/4", "a/4", "2/4/8", "-1/4"})
    EXPECT_EQ(message_of([&] { parse_shard(wrong); }),
              std::string("--shard '") + wrong + "' is no part K/N of N, such as 2/4");
}

}  // namespace
}  // namespace occam
