#include "worker/distributed/group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/message_of.h"
#include "tests/worker/gang.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

using Clock = std::chrono::steady_clock;
using torch::Tensor;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// Numbers that no other rank has, of any type.
Tensor own(std::int64_t rank, std::int64_t count) {
  return at::arange(count, torch::kFloat32).mul(0.1F).add(static_cast<double>(1 + 10 * rank)).sin();
}

class EverySize : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Group, EverySize, testing::Values(1, 2, 4));

TEST_P(EverySize, SumsInTheOrderOfTheRanks) {
  const std::int64_t size = GetParam();
  Tensor expected = own(0, 1000);
  for (std::int64_t rank = 1; rank < size; ++rank) expected = expected + own(rank, 1000);
  as_gang(size, [&](Group& group) {
    for (int again = 0; again < 3; ++again) {
      Tensor values = own(group.rank(), 1000);
      group.all_reduce(values);
      EXPECT_TRUE(same_bits(values, expected)) << "rank " << group.rank();
    }
    // Several at once, of any types and orders of dimensions.
    Tensor values =
        own(group.rank(), 1000).view({2, 5, 10, 10}).contiguous(at::MemoryFormat::ChannelsLast);
    Tensor counts = at::full({3}, group.rank() + 1, torch::kInt64);
    group.all_reduce({values, counts});
    EXPECT_TRUE(at::equal(values.flatten(), expected)) << "rank " << group.rank();
    EXPECT_EQ(counts[2].item<std::int64_t>(), size * (size + 1) / 2);
  });
}

// Over 4 MiB the store gets them in parts.
TEST_P(EverySize, SumsAndSpreadsWhatIsLarge) {
  const std::int64_t size = GetParam(), count = (std::int64_t{9} << 20) / 4 + 3;
  as_gang(size, [&](Group& group) {
    Tensor values = at::full({count}, group.rank() + 1, torch::kFloat32);
    group.all_reduce(values);
    EXPECT_TRUE(same_bits(values, at::full({count}, size * (size + 1) / 2, torch::kFloat32)));
    const Tensor all = group.all_gather(at::full({2, count}, group.rank(), torch::kFloat32));
    EXPECT_EQ(all.sizes(), (std::vector<std::int64_t>{2 * size, count}));
    for (std::int64_t row = 0; row < 2 * size; ++row)
      EXPECT_TRUE(same_bits(all[row], at::full({count}, row / 2, torch::kFloat32)));
    Tensor told = at::full({count}, group.rank() + 5, torch::kFloat32);
    group.broadcast(told);
    EXPECT_TRUE(same_bits(told, at::full({count}, 5, torch::kFloat32)));
  });
}

TEST_P(EverySize, AgreesOnWhatAnyMemberSays) {
  const std::int64_t size = GetParam();
  as_gang(size, [&](Group& group) {
    EXPECT_FALSE(group.any(false));
    EXPECT_TRUE(group.any(group.rank() == size - 1));
    EXPECT_FALSE(group.any(false));
    group.barrier();
  });
}

TEST(Group, ThatSomebodyAbortsEndsForAllWithTheReason) {
  std::vector<std::string> heard(3);
  std::vector<double> seconds(3);
  as_gang(3, [&](Group& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    const Clock::time_point began = Clock::now();
    std::thread another;
    if (rank == 1)
      another = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        group.abort("rank 1 was asked to leave");
      });
    // Rank 0 does not come to where the others wait.
    try {
      if (rank == 0)
        group.wait([] { return false; });
      else
        while (true) group.any(false);
    } catch (const GroupBroken& problem) {
      heard[rank] = problem.what();
    }
    seconds[rank] = seconds_since(began);
    if (another.joinable()) another.join();
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(heard[rank], "the gang broke: rank 1 was asked to leave") << rank;
    EXPECT_LT(seconds[rank], 3) << rank;
  }
}

TEST(Group, OnceBrokenStaysSo) {
  as_gang(1, [](Group& group) {
    group.abort("the first reason");
    group.abort("another");
    for (int again = 0; again < 2; ++again) {
      EXPECT_THROW(group.barrier(), GroupBroken);
      EXPECT_THROW(group.all_reduce(at::zeros({1})), GroupBroken);
    }
    EXPECT_EQ(message_of([&] { group.check(); }), "the gang broke: the first reason");
  });
}

TEST(Group, GivesUpOnAMemberThatDoesNotCome) {
  const Clock::time_point began = Clock::now();
  const auto lonely = make_store_group({0, 2, ""}, std::chrono::duration<double>(0.5));
  const std::string problem = message_of([&] { lonely->join([](const std::string&) {}); });
  EXPECT_NE(problem.find("rank 0 heard nothing of the others"), std::string::npos) << problem;
  EXPECT_LT(seconds_since(began), 5);
}

TEST(Group, IsNotJoinedWithWhatIsNoTicket) {
  for (const std::string ticket : {"", "nonsense", "127.0.0.1:", "127.0.0.1:0", "a:70000"}) {
    const auto group = make_store_group({1, 2, ticket}, kGangTimeout);
    EXPECT_NE(message_of([&] { group->join([](const std::string&) {}); }).find(ticket),
              std::string::npos);
  }
}

TEST(Group, WhoseRankZeroIsGoneIsBrokenAtOnce) {
  const Clock::time_point began = Clock::now();
  std::string ticket;
  {
    const auto rank_zero = make_store_group({0, 2, ""}, std::chrono::duration<double>(0.3));
    EXPECT_THROW(rank_zero->join([&](const std::string& text) { ticket = text; }), GroupBroken);
  }
  const auto late = make_store_group({1, 2, ticket}, std::chrono::duration<double>(3));
  EXPECT_THROW(late->join([](const std::string&) {}), GroupBroken);
  EXPECT_LT(seconds_since(began), 10);
}

// A member in a process of its own, which is killed in the middle of its work.
class DeadMember : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Group, DeadMember, testing::Values(0, 1),
                         [](const auto& one) { return "Rank" + std::to_string(one.param); });

TEST_P(DeadMember, IsMissedAfterTheTimeout) {
  const std::int64_t dead = GetParam();
  int to_parent[2], to_child[2];
  ASSERT_EQ(pipe(to_parent), 0);
  ASSERT_EQ(pipe(to_child), 0);
  const auto say = [](int descriptor, const std::string& text) {
    const std::string line = text + std::string(64 - text.size(), ' ');
    return write(descriptor, line.data(), line.size()) == 64;
  };
  const auto hear = [](int descriptor) {
    std::string line(64, ' ');
    std::size_t have = 0;
    while (have < 64) {
      const ssize_t got = read(descriptor, line.data() + have, 64 - have);
      if (got <= 0) return std::string();
      have += static_cast<std::size_t>(got);
    }
    return line.substr(0, line.find(' '));
  };
  // One work for both: the tickets go through the pipes.
  const auto member = [&](std::int64_t rank, int out, int in, int rounds) {
    const auto group =
        make_store_group({rank, 2, rank == 0 ? "" : hear(in)}, std::chrono::seconds(2));
    group->join([&](const std::string& ticket) { say(out, ticket); });
    for (int round = 0; round < rounds; ++round) group->any(false);
    return group->rank();
  };
  const pid_t child = fork();
  if (child == 0) {
    try {
      member(dead, to_parent[1], to_child[0], 1 << 30);
    } catch (...) {
    }
    _exit(0);
  }
  Clock::time_point killed;
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    kill(child, SIGKILL);
    killed = Clock::now();
  });
  EXPECT_THROW(member(1 - dead, to_child[1], to_parent[0], 1 << 30), GroupBroken);
  const Clock::time_point heard = Clock::now();
  killer.join();
  EXPECT_LT(std::chrono::duration<double>(heard - killed).count(), 5);
  EXPECT_GT(std::chrono::duration<double>(heard - killed).count(), 0) << "it broke by itself";
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace occam
