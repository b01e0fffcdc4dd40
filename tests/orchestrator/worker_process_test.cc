#include "orchestrator/worker_process.h"

#include <unistd.h>

#include "experiments/error.h"
#include "tests/orchestrator/child.h"

namespace occam {
namespace {

class WorkerProcessTest : public ChildTest {
 protected:
  using Lines = std::vector<std::string>;

  // Everything that the child says until its end.
  static Lines all_lines(WorkerProcess& child) {
    Lines lines;
    const bool ended = eventually([&] {
      for (std::string& line : child.pump()) lines.push_back(std::move(line));
      return child.ended().has_value();
    });
    EXPECT_TRUE(ended);
    return lines;
  }
  static std::string end_of(const std::string& script) {
    WorkerProcess child(shell(script));
    all_lines(child);
    return child.ended().value_or("still running");
  }
};

TEST_F(WorkerProcessTest, HandsOnWholeLines) {
  WorkerProcess child(shell("printf 'one\\ntw'; sleep 0.05; printf 'o\\n\\nlast'"));
  EXPECT_EQ(all_lines(child), (Lines{"one", "two", ""}));
}

TEST_F(WorkerProcessTest, SendsLinesToTheChild) {
  WorkerProcess child(shell("read a; read b; echo \"$b $a\""));
  child.send("world");
  child.send("hello");
  EXPECT_TRUE(child.wants_to_write());
  EXPECT_EQ(all_lines(child), Lines{"hello world"});
  EXPECT_FALSE(child.wants_to_write());
}

TEST_F(WorkerProcessTest, SaysHowTheChildEnded) {
  EXPECT_EQ(end_of("exit 0"), "exited with code 0");
  EXPECT_EQ(end_of("exit 3"), "exited with code 3");
  EXPECT_EQ(end_of("kill -SEGV $$"), "was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(end_of("kill -KILL $$"), "was killed by signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, HasNotEndedWhileTheChildRuns) {
  WorkerProcess child(shell("read line"));
  child.pump();
  EXPECT_EQ(child.ended(), std::nullopt);
  child.send("go");
  all_lines(child);
  EXPECT_EQ(child.ended(), "exited with code 0");
}

TEST_F(WorkerProcessTest, RefusesAProgramThatIsNotThere) {
  try {
    WorkerProcess child({"/no/such/worker"});
    FAIL();
  } catch (const Error& problem) {
    EXPECT_STREQ(problem.what(),
                 "/no/such/worker: cannot start this worker: No such file or directory");
  }
}

TEST_F(WorkerProcessTest, LeavesNoDescriptorBehind) {
  const auto next_descriptor = [] {
    const int descriptor = dup(0);
    close(descriptor);
    return descriptor;
  };
  const int before = next_descriptor();
  {
    WorkerProcess child(shell("read line"));
    EXPECT_THROW(WorkerProcess({"/no/such/worker"}), Error);
  }
  EXPECT_EQ(next_descriptor(), before);
}

TEST_F(WorkerProcessTest, KeepsTheEndOfWhatTheChildSaysOnStderr) {
  WorkerProcess child(
      shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo 'last words' >&2; exit 1"));
  all_lines(child);
  EXPECT_EQ(child.log_tail().size(), 4000U);
  EXPECT_TRUE(child.log_tail().ends_with("xxxlast words\n"));
}

TEST_F(WorkerProcessTest, KeepsLastWordsThatComeAfterStdoutIsClosed) {
  WorkerProcess child(shell("exec >&-; sleep 0.05; echo 'last words' >&2; exit 1"));
  EXPECT_TRUE(eventually([&] { return child.pump().empty() && child.output() < 0; }));
  EXPECT_TRUE(eventually([&] { return child.ended().has_value(); }));
  EXPECT_EQ(child.log_tail(), "last words\n");
}

TEST_F(WorkerProcessTest, IsNotHeldUpByAChildThatNeverReads) {
  WorkerProcess child(shell("echo ready; exec sleep 60"));
  child.send(std::string(4 << 20, 'x'));
  Lines lines;
  EXPECT_TRUE(eventually([&] {
    for (std::string& line : child.pump()) lines.push_back(std::move(line));
    return !lines.empty();
  }));
  EXPECT_EQ(lines, Lines{"ready"});
  EXPECT_TRUE(child.wants_to_write());
}

TEST_F(WorkerProcessTest, IsNotHeldUpByAChildThatNeverPauses) {
  WorkerProcess child(shell("exec yes"));
  std::size_t lines = 0;
  EXPECT_TRUE(eventually([&] { return (lines += child.pump().size()) > 100'000; }));
  child.kill();
  all_lines(child);
  EXPECT_EQ(child.ended(), "was killed by signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, ForgetsWhatAChildThatHasLeftWillNeverRead) {
  WorkerProcess child(shell("exec <&-; echo closed; read line; exec sleep 60"));
  Lines lines;
  ASSERT_TRUE(eventually([&] {
    for (std::string& line : child.pump()) lines.push_back(std::move(line));
    return !lines.empty() || child.ended();
  }));
  child.send("to nobody");
  child.pump();
  EXPECT_FALSE(child.wants_to_write());
}

TEST_F(WorkerProcessTest, EndsAChildWhoseLineIsTooLong) {
  WorkerProcess child(shell("exec cat /dev/zero"));
  EXPECT_TRUE(all_lines(child).empty());
  EXPECT_EQ(child.ended(), "was killed by signal 9 (Killed)");
  EXPECT_EQ(child.log_tail(), "\nkilled: a line of its output is longer than 16 MiB");
}

TEST_F(WorkerProcessTest, TakesItsChildrensChildrenWithIt) {
  WorkerProcess child(shell("sleep 60 & echo started; wait"));
  EXPECT_TRUE(eventually([&] { return !child.pump().empty(); }));
  child.kill();
  all_lines(child);  // stdout is at its end once all who hold it are gone
  EXPECT_EQ(child.ended(), "was killed by signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, ShieldsTheChildFromSignalsThatAreForTheCoordinator) {
  EXPECT_EQ(end_of("for one in INT TERM HUP USR1 USR2; do kill -$one $$; done; exit 3"),
            "exited with code 3");
}

TEST_F(WorkerProcessTest, GivesTheChildTheOtherSignalsAsUsual) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  sigprocmask(SIG_BLOCK, &set, &before);
  EXPECT_EQ(end_of("kill -PIPE $$"), "was killed by signal 13 (Broken pipe)");
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace occam
