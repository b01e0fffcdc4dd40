#include "orchestrator/link/link.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

TEST(LocalLink, IsTheOnlyRank) {
  LocalLink link;
  EXPECT_EQ(link.rank(), 0);
  EXPECT_EQ(link.size(), 1);
  EXPECT_EQ(link.local_rank(), 0);
  EXPECT_EQ(link.local_size(), 1);
}

TEST(LocalLink, HandsOnLinesInOrderAndOnce) {
  LocalLink link;
  link.to_node(0, "start");
  link.to_node(0, "stop");
  link.to_coordinator("ready");
  EXPECT_EQ(link.from_coordinator(), (std::vector<std::string>{"start", "stop"}));
  EXPECT_TRUE(link.from_coordinator().empty());
  const auto up = link.from_nodes();
  ASSERT_EQ(up.size(), 1U);
  EXPECT_EQ(up[0], std::pair(0, std::string("ready")));
  EXPECT_TRUE(link.from_nodes().empty());
}

TEST(LocalLink, IsImpatientWhileALineWaits) {
  LocalLink link;
  EXPECT_GT(link.patience().count(), 0);
  link.to_node(0, "start");
  EXPECT_EQ(link.patience().count(), 0);
  link.from_coordinator();
  link.to_coordinator("ready");
  EXPECT_EQ(link.patience().count(), 0);
  link.from_nodes();
  EXPECT_GT(link.patience().count(), 0);
}

}  // namespace
}  // namespace occam
