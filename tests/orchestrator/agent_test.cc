#include "orchestrator/agent.h"

#include <gmock/gmock.h>

#include "tests/orchestrator/child.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

using namespace std::chrono_literals;

const std::string kReady = R"(echo '{"type":"ready","device":"cpu","slots":2}')";

// An agent of shell workers, under a clock that moves only when told to.
class AgentTest : public ChildTest {
 protected:
  void begin(const std::vector<std::vector<std::string>>& workers, std::int64_t most = 100) {
    agent_.emplace(AgentOptions{"node-1", [workers](const std::string&) { return workers; }, 20s});
    agent_->handle({kWholeNode, Begin{"cpu", most}}, now_);
  }

  // Pumps until the agent has said one more message of the type, which is returned.
  template <class Message>
  Message next() {
    const Message* found = nullptr;
    EXPECT_TRUE(eventually([&] {
      agent_->pump(now_);
      for (const std::string& line : agent_->take()) said_.push_back(read_addressed_up(line));
      for (; seen_ < said_.size() && !found; ++seen_) {
        found = std::get_if<Message>(&said_[seen_].message);
        worker_ = said_[seen_].worker;
      }
      return found != nullptr;
    }));
    return found ? *found : Message{};
  }
  template <class Message>
  std::size_t said() const {
    return static_cast<std::size_t>(std::count_if(said_.begin(), said_.end(), [](const Up& up) {
      return std::holds_alternative<Message>(up.message);
    }));
  }

  // A worker whose script knows which start it is, from 1.
  std::vector<std::string> counting(const std::string& script) const {
    return shell("cd '" + folder_.path().string() + "'; echo >> starts; n=$(wc -l < starts); " +
                 script);
  }

  const TemporaryFolder folder_;
  Agent::Time now_{};
  std::optional<Agent> agent_;
  std::vector<Up> said_;
  std::size_t seen_ = 0;
  std::int64_t worker_ = -2;  // that said what next() returned
};

TEST_F(AgentTest, HandsOnWhatItsWorkersSayWithTheirNumberAndHost) {
  begin({shell("read line"), shell(kReady + "; read line")});
  const Ready ready = next<Ready>();
  EXPECT_EQ(ready.host, "node-1");
  EXPECT_EQ(ready.slots, 2);
  EXPECT_EQ(worker_, 1);
}

TEST_F(AgentTest, HandsOnWhatTheCoordinatorSaysToTheWorkerItIsFor) {
  const auto echo = shell(kReady + R"(; read line; echo "{\"type\":\"log\",\"text\":\"$0\"}")");
  begin({echo, echo});
  next<Ready>();
  next<Ready>();
  agent_->handle({1, Stop{}}, now_);
  next<Log>();
  EXPECT_EQ(worker_, 1);
}

TEST_F(AgentTest, StartsNoMoreWorkersThanHaveWork) {
  begin({shell(kReady + "; read line"), shell(kReady + "; read line")}, 1);
  next<Ready>();
  std::vector<pollfd> descriptors;
  agent_->add_descriptors(descriptors);
  EXPECT_EQ(descriptors.size(), 2U);
}

TEST_F(AgentTest, StartsTheOthersWhenMoreWorkersGetWork) {
  begin(std::vector<std::vector<std::string>>(3, shell(kReady + "; read line")), 1);
  next<Ready>();
  agent_->handle({kWholeNode, Begin{"cpu", 2}}, now_);
  next<Ready>();
  EXPECT_EQ(worker_, 1);
  agent_->handle({kWholeNode, Begin{"cpu", 2}}, now_);
  std::vector<pollfd> descriptors;
  agent_->add_descriptors(descriptors);
  EXPECT_EQ(descriptors.size(), 4u) << "two pipes a worker";
}

Start gang_start(std::int64_t lease) {
  Start start{"t", Trial{}, {}, lease, {}, "f"};
  start.gang = Gang{1, 2, "here"};
  return start;
}

TEST_F(AgentTest, SaysHowManyWorkersTheNodeHasAndWhenOneIsGivenUp) {
  begin({shell(kReady + "; read line"), shell("exit 1")});
  EXPECT_EQ(next<Crew>().workers, 2);
  EXPECT_EQ(worker_, kWholeNode);
  for (int i = 0; i < 3; ++i) {
    next<Lost>();
    now_ += 2s;
  }
  EXPECT_EQ(next<Crew>().workers, 1);
}

TEST_F(AgentTest, KillsAWorkerThatDoesNotLeaveItsGangWhenAsked) {
  begin({shell(kReady + "; while read line; do echo '{\"type\":\"alive\",\"slots\":[]}'; done")});
  next<Ready>();
  agent_->handle({0, gang_start(5)}, now_);
  next<Alive>();
  agent_->handle({0, Leave{"t", 5}}, now_);
  next<Alive>();
  now_ += 15s;
  agent_->handle({0, Stop{}}, now_);  // it is well otherwise
  next<Alive>();
  now_ += 6s;
  EXPECT_EQ(next<Lost>().reason,
            "the worker was asked to leave the gang of trial t, did not in 20 s and was killed");
}

TEST_F(AgentTest, LeavesAWorkerAloneThatHasLeftItsGang) {
  const std::string beat = R"(; read line; echo '{"type":"alive","slots":[]}')";
  begin({shell(kReady + "; read line; read line; echo " +
               R"('{"type":"left","trial":"t","lease":5,"reason":""}')" + beat + beat + beat +
               "; read line")});
  next<Ready>();
  agent_->handle({0, gang_start(5)}, now_);
  agent_->handle({0, Leave{"t", 5}}, now_);
  EXPECT_EQ(next<Left>().lease, 5);
  agent_->handle({0, Leave{"t", 5}}, now_);  // crossed with its answer
  next<Alive>();
  for (const auto pause : {15s, 6s}) {  // neither is silence
    now_ += pause;
    agent_->handle({0, Stop{}}, now_);
    next<Alive>();
  }
  EXPECT_EQ(said<Lost>(), 0U);
}

TEST_F(AgentTest, IgnoresAMessageForAWorkerThatIsNotThere) {
  begin({shell("exit 1")});
  next<Lost>();
  agent_->handle({0, Stop{}}, now_);
  agent_->handle({7, Stop{}}, now_);
  EXPECT_FALSE(agent_->gone());
}

TEST_F(AgentTest, TurnsALineThatIsNoMessageIntoALog) {
  begin({shell("echo Traceback; read line")});
  EXPECT_EQ(next<Log>().text.rfind("not a message: ", 0), 0U);
  EXPECT_EQ(said<Lost>(), 0U);
}

TEST_F(AgentTest, KillsAWorkerWhoseOutcomeCannotBeRead) {
  begin({shell(kReady +
               R"(; echo '{"type": "outcome", "evaluations": [{"auroc": NaN}]}'; read line)")});
  EXPECT_THAT(next<Lost>().reason,
              testing::StartsWith("the worker brought an outcome that is of no use and was "
                                  "killed: not a message: "));
}

TEST_F(AgentTest, GivesUpAWorkerWhoseReadyIsOfNoUse) {
  begin({shell(R"(echo '{"type":"ready","device":"cpu","slots":-1}'; read line)")});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(next<Lost>().reason,
              "the worker brought a ready that is of no use and was killed: not a message: slots "
              R"(-1 is below 1: {"type":"ready","device":"cpu","slots":-1})");
    now_ += 2s;
  }
  next<Empty>();
}

TEST_F(AgentTest, HandsOnNothingOfAWorkersThatItAloneSays) {
  begin({shell(kReady + R"(; echo '{"type":"gone"}'; read line)")});
  EXPECT_EQ(next<Log>().text, R"(not for a worker to say: {"type":"gone"})");
  EXPECT_EQ(said<Gone>(), 0U);
}

TEST_F(AgentTest, HandsOnNoOutcomeOfWhatItsWorkerWasNotGiven) {
  const auto outcome = [](const std::string& trial, const std::string& lease) {
    return "; echo '{\"type\":\"outcome\",\"trial\":\"" + trial + "\",\"lease\":" + lease +
           R"(,"status":"failed","evaluations":[]}')";
  };
  begin({shell(kReady + outcome("t", "9") + "; read line" + outcome("t", "4") + "; read line" +
               outcome("t", "4") + outcome("u", "5") + "; read line")});
  next<Ready>();
  EXPECT_EQ(next<Log>().text,
            "an outcome of lease 9, which this worker was not given or has ended, counts for "
            "nothing");
  Start start;
  start.trial = "t";
  start.lease = 4;
  agent_->handle({0, start}, now_);
  EXPECT_EQ(next<Outcome>().lease, 4);
  start.lease = 5;
  agent_->handle({0, start}, now_);
  EXPECT_THAT(next<Log>().text, testing::HasSubstr("lease 4"));
  EXPECT_EQ(next<Lost>().reason,
            "the worker brought an outcome that is of no use and was killed: it is of trial 'u' "
            "where lease 5 was given for trial t");
  EXPECT_EQ(said<Outcome>(), 1U);
}

TEST_F(AgentTest, KillsAWorkerThatWasNeverGivenTheLeaseOfItsOutcome) {
  begin({shell(kReady + "; read line; echo '" +
               R"({"type":"outcome","trial":"t","lease":9,"status":"failed"}'; read line)")});
  next<Ready>();
  Start start;
  start.trial = "t";
  start.lease = 4;
  agent_->handle({0, start}, now_);
  EXPECT_EQ(next<Lost>().reason,
            "the worker brought an outcome that is of no use and was killed: it is of lease 9, "
            "which it was never given");
}

TEST_F(AgentTest, ReportsAWorkersEndWithItsLastWords) {
  begin({shell(kReady + "; echo 'out of memory' >&2; exit 7")});
  const Lost lost = next<Lost>();
  EXPECT_EQ(lost.reason, "the worker exited with code 7");
  EXPECT_EQ(lost.log_tail, "out of memory\n");
}

TEST_F(AgentTest, HandsOnWhatAWorkerSaidBeforeItReportsItsEnd) {
  begin({shell(kReady + "; exit 7")});
  next<Lost>();
  EXPECT_EQ(said<Ready>(), 1U);
}

TEST_F(AgentTest, StartsAWorkerAgainThatHadBeenReady) {
  begin({counting(kReady + "; test $n = 1 && exit 1; read line")});
  next<Ready>();
  now_ += 5s;
  next<Lost>();
  next<Ready>();
  EXPECT_EQ(worker_, 0);
}

TEST_F(AgentTest, WaitsASecondBeforeItStartsAWorkerAgainThatEndedEarly) {
  begin({counting("test $n = 1 && exit 1; " + kReady + "; read line")});
  next<Lost>();
  now_ += 999ms;
  agent_->pump(now_);
  std::vector<pollfd> descriptors;
  agent_->add_descriptors(descriptors);
  EXPECT_TRUE(descriptors.empty());
  now_ += 1ms;
  next<Ready>();
}

TEST_F(AgentTest, StartsAWorkerThatWasKilledAtWorkAgainAtOnce) {
  begin({counting(kReady + "; test $n = 1 && kill -9 $$; read line")});
  next<Ready>();
  next<Lost>();
  next<Ready>();  // with the clock where it was
}

TEST_F(AgentTest, KillsAWorkerWhoseTrialStandsStillAndNamesTheTrial) {
  const std::string beat = R"(echo '{"type":"alive","slots":[)"
                           R"({"trial":"a","lease":7,"phase":"training","count":'$c'},)"
                           R"({"trial":"b","lease":8,"phase":"training","count":5}]}')";
  begin({shell(kReady + "; c=0; while read line; do c=$((c+1)); " + beat + "; done")});
  next<Ready>();
  const auto ask_for_a_beat = [&] {
    agent_->handle({0, Stop{}}, now_);
    next<Alive>();
  };
  ask_for_a_beat();
  for (int i = 0; i < 20; ++i) {
    now_ += 15s;
    ask_for_a_beat();
  }
  EXPECT_EQ(said<Lost>(), 0U);
  now_ += 1s;
  const Lost lost = next<Lost>();
  EXPECT_EQ(lost.culprit, 8);
  EXPECT_EQ(lost.reason,
            "trial b stood still at 5 of training for 301 s, so its worker was killed");
}

TEST_F(AgentTest, KillsAWorkerThatNeitherStopsNorSpeaksOfItsTrial) {
  const std::string beat = R"(echo '{"type":"alive","slots":[]}')";
  const std::string outcome =
      R"(echo '{"type":"outcome","trial":"t","lease":4,"status":"failed","evaluations":[]}')";
  for (const bool ends : {false, true}) {
    begin({shell(kReady + "; read line; " + (ends ? outcome : beat) + "; while read line; do " +
                 beat + "; done")});
    next<Ready>();
    Start start;
    start.trial = "t";
    start.lease = 4;
    agent_->handle({0, start}, now_);
    if (ends)
      next<Outcome>();
    else
      next<Alive>();
    const auto wait = [&](int beats) {
      for (int i = 0; i < beats; ++i) {
        now_ += 15s;
        agent_->handle({0, Leave{"other", 9}}, now_);
        next<Alive>();
      }
    };
    wait(30);  // it may leave its trials out
    agent_->handle({0, Stop{}}, now_);
    next<Alive>();
    wait(20);
    EXPECT_EQ(said<Lost>(), 0U);
    now_ += 1s;
    if (ends) {
      agent_->pump(now_);
      EXPECT_TRUE(agent_->take().empty());
      break;
    }
    EXPECT_EQ(next<Lost>().reason,
              "the worker was asked to stop what runs, did not in 300 s, says nothing of it and "
              "was killed");
    said_.clear();
    seen_ = 0;
  }
}

TEST_F(AgentTest, GivesATrialOfSlowStepsTwentyOfThem) {
  begin({shell(kReady + "; c=0; while read line; do c=$((c+1)); " +
               R"(echo '{"type":"alive","slots":[{"trial":"a","lease":7,"phase":"training",)" +
               R"("count":'$((c > 2 ? 2 : c))'}]}'; done)")});
  next<Ready>();
  const auto beat_after = [&](std::chrono::seconds pause) {
    // Often enough not to be silent.
    for (; pause > 0s; pause -= 10s) {
      now_ += 10s;
      agent_->handle({0, Stop{}}, now_);
      next<Alive>();
    }
  };
  agent_->handle({0, Stop{}}, now_);
  next<Alive>();  // count 1
  now_ += 19s;    // a step takes 19 s
  agent_->handle({0, Stop{}}, now_);
  next<Alive>();  // count 2, where it stays
  beat_after(380s);
  EXPECT_EQ(said<Lost>(), 0U);
  now_ += 1s;
  EXPECT_EQ(next<Lost>().culprit, 7);
}

TEST_F(AgentTest, GivesUpAfterThreeFailedStartsInARow) {
  begin({shell("echo 'no GPU' >&2; exit 1")});
  for (int start = 1; start <= 3; ++start) {
    EXPECT_FALSE(agent_->gone());
    EXPECT_EQ(next<Lost>().log_tail, "no GPU\n");
    now_ += 1s;
  }
  next<Empty>();
  EXPECT_EQ(worker_, kWholeNode);
  EXPECT_EQ(said<Lost>(), 3U);
  agent_->pump(now_);
  EXPECT_TRUE(agent_->take().empty());
  EXPECT_FALSE(agent_->gone());
  agent_->handle({kWholeNode, Exit{}}, now_);
  next<Gone>();
  EXPECT_TRUE(agent_->gone());
}

TEST_F(AgentTest, CountsFailedStartsFromZeroAfterOneThatWasGood) {
  begin({counting("test $n = 3 && " + kReady + "; exit 1")});
  for (int start = 1; start <= 5; ++start) {
    next<Lost>();
    EXPECT_FALSE(agent_->gone()) << start;
    now_ += 1s;
  }
}

TEST_F(AgentTest, GivesUpOnAProgramThatIsNotThere) {
  begin({{"/no/such/worker"}});
  EXPECT_EQ(next<Lost>().reason,
            "/no/such/worker: cannot start this worker: No such file or directory");
  now_ += 1s;
  next<Lost>();
  now_ += 1s;
  next<Lost>();
  next<Empty>();
}

TEST_F(AgentTest, StaysWhileOneOfItsWorkersRuns) {
  begin({shell(kReady + "; read line"), {"/no/such/worker"}});
  for (int start = 1; start <= 3; ++start) {
    next<Lost>();
    now_ += 1s;
  }
  agent_->pump(now_);
  EXPECT_FALSE(agent_->gone());
}

TEST_F(AgentTest, KillsAWorkerThatIsSilentForTooLong) {
  begin({shell(kReady + "; exec sleep 60")});
  next<Ready>();
  now_ += 20s;
  agent_->pump(now_);
  EXPECT_EQ(said<Lost>(), 0U);
  now_ += 1ms;
  EXPECT_EQ(next<Lost>().reason, "the worker was silent for 20 s and was killed");
}

TEST_F(AgentTest, LetsAWorkerLiveThatSaysAnything) {
  begin({shell(kReady + R"(; read line; echo '{"type":"alive","slots":[]}'; exec sleep 60)")});
  next<Ready>();
  now_ += 19s;
  agent_->handle({0, Stop{}}, now_);
  next<Alive>();
  now_ += 19s;
  agent_->pump(now_);
  EXPECT_TRUE(agent_->take().empty());
}

TEST_F(AgentTest, IsGoneWhenItsWorkersHaveLeftAsAsked) {
  begin({shell(kReady + "; read line"), shell(kReady + "; read line")});
  next<Ready>();
  next<Ready>();
  agent_->handle({kWholeNode, Exit{}}, now_);
  next<Gone>();
  EXPECT_TRUE(agent_->gone());
  EXPECT_EQ(said<Lost>(), 0U);
}

TEST_F(AgentTest, KillsAWorkerThatIgnoresExit) {
  begin({shell(kReady + "; exec sleep 60")});
  next<Ready>();
  agent_->handle({kWholeNode, Exit{}}, now_);
  now_ += 5s;
  agent_->pump(now_);
  EXPECT_FALSE(agent_->gone());
  now_ += 1ms;
  next<Gone>();
}

TEST_F(AgentTest, SaysThatItIsEmptyAndIsGoneAtOnceWhenItHasNoWorkers) {
  begin({});
  next<Empty>();
  EXPECT_FALSE(agent_->gone());
  agent_->handle({kWholeNode, Exit{}}, now_);
  EXPECT_TRUE(agent_->gone());
}

TEST_F(AgentTest, EndsEveryWorkerWhenTold) {
  begin({shell(kReady + "; exec sleep 60")});
  next<Ready>();
  agent_->kill_all();
  EXPECT_EQ(next<Lost>().reason, "the worker was killed by signal 9 (Killed)");
}

}  // namespace
}  // namespace occam
