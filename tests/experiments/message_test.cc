#include "experiments/message.h"

#include <cmath>
#include <limits>

#include "tests/experiments/sample.h"

namespace occam {
namespace {

template <class Message>
Message down(const Message& message) {
  return std::get<Message>(read_down(to_line(DownMessage{message})));
}
template <class Message>
Message up(const Message& message) {
  return std::get<Message>(read_up(to_line(UpMessage{message})));
}
std::string problem_with(const std::string& line) {
  return message_of([&] { read_up(line); });
}

Progress progress() { return {"0123456789abcdef", 7, 3, 20, 0.5, 0.25, 0.01, 1000}; }

TEST(Messages, ToAWorkerComeBackAsTheyWere) {
  const Begin begin = down(Begin{"cuda", 4});
  EXPECT_EQ(begin.device, "cuda");
  EXPECT_EQ(begin.most_workers, 4);
  Start start{"0123456789abcdef",
              trial(R"({"loss": "rotation", "width": 0.5, "class": 3})"),
              {{Features::pool, Classifier::oc_svm_rbf, {0.1, 2.5, 100}},
               {Features::logit, Classifier::rotation, {}}},
              12,
              {3, 7},
              "/work/0123"};
  const Start back = down(start);
  EXPECT_EQ(back.trial, start.trial);
  EXPECT_EQ(identity(back.config), identity(start.config));
  EXPECT_EQ(back.evaluations, start.evaluations);
  EXPECT_EQ(back.lease, 12);
  EXPECT_EQ(back.resumable, start.resumable);
  EXPECT_EQ(back.folder, "/work/0123");
  down(Stop{});
  down(Exit{});
}

TEST(Messages, FromAWorkerComeBackAsTheyWere) {
  const Ready ready =
      up(Ready{"node-1", "NVIDIA H100", 4, 80'000'000'000, "abc", "torch", true, "def-dirty"});
  EXPECT_EQ(ready.host, "node-1");
  EXPECT_EQ(ready.device, "NVIDIA H100");
  EXPECT_EQ(ready.slots, 4);
  EXPECT_EQ(ready.memory, 80'000'000'000);
  EXPECT_EQ(ready.build, "abc");
  EXPECT_EQ(ready.libraries, "torch");
  EXPECT_TRUE(ready.deterministic);
  EXPECT_EQ(ready.revision, "def-dirty");
  const Alive alive = up(Alive{{{"t1", 4, "training", 17}, {"t2", 5, "loading", 0}}});
  ASSERT_EQ(alive.slots.size(), 2U);
  EXPECT_EQ(alive.slots[0].trial, "t1");
  EXPECT_EQ(alive.slots[0].lease, 4);
  EXPECT_EQ(alive.slots[0].phase, "training");
  EXPECT_EQ(alive.slots[0].count, 17);
  const Progress row = up(progress());
  EXPECT_EQ(row.trial, "0123456789abcdef");
  EXPECT_EQ(row.lease, 7);
  EXPECT_EQ(row.epoch, 3);
  EXPECT_EQ(row.of, 20);
  EXPECT_EQ(row.loss, 0.5);
  EXPECT_EQ(row.accuracy, 0.25);
  EXPECT_EQ(row.learning_rate, 0.01);
  EXPECT_EQ(row.images_per_second, 1000);
  const Saved saved = up(Saved{"t1", 8, 1200});
  EXPECT_EQ(saved.trial, "t1");
  EXPECT_EQ(saved.lease, 8);
  EXPECT_EQ(saved.step, 1200);
  const Scoring scoring = up(Scoring{"t1", 8});
  EXPECT_EQ(scoring.trial, "t1");
  EXPECT_EQ(scoring.lease, 8);
  const Stopped stopped = up(Stopped{"t1", 9});
  EXPECT_EQ(stopped.trial, "t1");
  EXPECT_EQ(stopped.lease, 9);
  EXPECT_EQ(up(Log{"a\nb"}).text, "a\nb");
  const Lost lost = up(Lost{"exited", "last words\n"});
  EXPECT_EQ(lost.reason, "exited");
  EXPECT_EQ(lost.log_tail, "last words\n");
  up(Empty{});
  up(Gone{});
}

TEST(Messages, KeepEveryBitOfAnOutcome) {
  const Evaluation evaluation{
      {Features::pool, Classifier::kde, {}}, 0.1 + 0.2, 1.0 / 3, 0.05, 9000, 1000, 0.125};
  for (OutcomeStatus status :
       {OutcomeStatus::completed, OutcomeStatus::diverged, OutcomeStatus::failed}) {
    const Outcome back = up(Outcome{
        "t1", 3, status, "why", {evaluation}, 8.5, 2.5, 100, "data-1", "loss at log 8", "b1+b2"});
    EXPECT_EQ(back.trial, "t1");
    EXPECT_EQ(back.lease, 3);
    EXPECT_EQ(back.status, status);
    EXPECT_EQ(back.error, "why");
    ASSERT_EQ(back.evaluations.size(), 1U);
    EXPECT_EQ(back.evaluations[0].request, evaluation.request);
    EXPECT_EQ(back.evaluations[0].auroc, 0.1 + 0.2);
    EXPECT_EQ(back.evaluations[0].average_precision, 1.0 / 3);
    EXPECT_EQ(back.evaluations[0].fpr95, 0.05);
    EXPECT_EQ(back.evaluations[0].outliers, 9000);
    EXPECT_EQ(back.evaluations[0].inliers, 1000);
    EXPECT_EQ(back.evaluations[0].seconds, 0.125);
    EXPECT_EQ(back.train_seconds, 8.5);
    EXPECT_EQ(back.evaluate_seconds, 2.5);
    EXPECT_EQ(back.steps, 100);
    EXPECT_EQ(back.data, "data-1");
    EXPECT_EQ(back.collapsed, "loss at log 8");
    EXPECT_EQ(back.build, "b1+b2");
  }
}

TEST(Messages, TakeARateThatRoundingCarriedAboveOneForOne) {
  Outcome outcome{"t1", 3, OutcomeStatus::completed, "", {}, 0, 0, 0, "", "", ""};
  const auto with = [&](double rate) {
    outcome.evaluations = {{{Features::pool, Classifier::kde, {}}, 1, rate, 0, 5, 5, 0}};
    return up(outcome);
  };
  EXPECT_EQ(with(1.0000000000000002).evaluations[0].average_precision, 1);
  EXPECT_EQ(with(-1e-17).evaluations[0].average_precision, 0);
  EXPECT_NE(with(1.001).error.find("average_precision 1.001 is not in 0..1"), std::string::npos);
}

TEST(Messages, CarryTheWorkersNumber) {
  EXPECT_EQ(read_addressed_down(to_line(Down{3, Stop{}})).worker, 3);
  EXPECT_EQ(read_addressed_down(to_line(Down{kWholeNode, Exit{}})).worker, kWholeNode);
  const Up back = read_addressed_up(to_line(Up{2, Log{"text"}}));
  EXPECT_EQ(back.worker, 2);
  EXPECT_EQ(std::get<Log>(back.message).text, "text");
}

TEST(Messages, AreOneLineEach) {
  EXPECT_EQ(to_line(UpMessage{Log{"a\nb\r\n"}}).find('\n'), std::string::npos);
  EXPECT_EQ(to_line(DownMessage{Stop{}}), R"({"type":"stop"})");
}

TEST(Messages, CarryNumbersThatAreNoneAsNaN) {
  for (double none : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Progress row = progress();
    row.loss = row.accuracy = row.learning_rate = row.images_per_second = none;
    const Progress back = up(row);
    EXPECT_TRUE(std::isnan(back.loss));
    EXPECT_TRUE(std::isnan(back.accuracy));
    EXPECT_TRUE(std::isnan(back.learning_rate));
    EXPECT_TRUE(std::isnan(back.images_per_second));
  }
}

TEST(Messages, ReplaceBytesThatAreNoText) {
  EXPECT_EQ(up(Log{"caf\xe9!"}).text, "caf\xEF\xBF\xBD!");
}

TEST(Messages, OfAWorkerMayLackWhatOnlyOursKnow) {
  const Ready ready =
      std::get<Ready>(read_up(R"({"type": "ready", "device": "cpu", "slots": 1, "more": []})"));
  EXPECT_EQ(ready.slots, 1);
  EXPECT_EQ(ready.build, "");
  EXPECT_FALSE(ready.deterministic);
  const auto outcome = std::get<Outcome>(
      read_up(R"({"type": "outcome", "trial": "t", "lease": 1, "status": "completed"})"));
  EXPECT_TRUE(outcome.evaluations.empty());
  const auto row = std::get<Progress>(
      read_up(R"({"type":"progress","trial":"t","lease":1,"epoch":2,"of":2,"loss":null})"));
  for (const double none : {row.loss, row.accuracy, row.learning_rate, row.images_per_second})
    EXPECT_TRUE(std::isnan(none));
}

TEST(Messages, OfAWorkerCommandNoTerminal) {
  const auto outcome =
      std::get<Outcome>(read_up(R"({"type":"outcome","trial":"t","lease":1,"status":"failed",)"
                                R"("error":"\u001b[31mred\r\u007f\u009b2J\n\tété"})"));
  EXPECT_EQ(outcome.error, " [31mred    2J\n\tété");
}

TEST(Messages, RefuseALineThatIsNoneAndQuoteIt) {
  for (const std::string line :
       {"", "Traceback (most recent call last):", "3", "null", "[]", "\"ready\"", "{", "{}",
        "{\"type\":7}", "{\"type\":\"ready\"}", "{\"type\":\"progress\",\"trial\":\"t\"}",
        "{\"type\":\"outcome\",\"trial\":\"t\",\"lease\":\"1\",\"status\":\"completed\"}",
        "\xff\xfe", "{\"type\":\"alive\",\"slots\":[3]}", "{\"type\":\"log\",\"text\":null}"}) {
    const std::string problem = problem_with(line);
    EXPECT_EQ(problem.rfind("not a message: ", 0), 0U) << problem;
    EXPECT_TRUE(problem.ends_with(": " + line)) << problem;
  }
  EXPECT_LT(problem_with(std::string(100'000, 'x')).size(), 1000U);
}

// nlohmann would make some integer of each.
TEST(Messages, RefuseNumbersThatAreNoIntegers) {
  for (const std::string lease : {"1.5", "1e300", "18446744073709551615", "true", "null", "[]"}) {
    const std::string line = R"({"type":"stopped","trial":"t","lease":)" + lease + "}";
    EXPECT_NE(problem_with(line).find("lease"), std::string::npos) << problem_with(line);
    EXPECT_EQ(problem_with(line).rfind("not a message: ", 0), 0U) << problem_with(line);
  }
  EXPECT_EQ(std::get<Stopped>(read_up(R"({"type":"stopped","trial":"t","lease":3.0})")).lease, 3);
}

TEST(Messages, RefuseWhatNoWorkerCanMeanAndNameTheField) {
  const auto problem = [](const std::string& members) {
    const std::string text = problem_with("{" + members + "}");
    return text.substr(0, text.find(": {"));
  };
  const std::string ready = R"("type":"ready","device":"cpu")", stands = "not a message: ";
  EXPECT_EQ(problem(ready), stands + "it has no slots");
  EXPECT_EQ(problem(ready + R"(,"slots":-1)"), stands + "slots -1 is below 1");
  EXPECT_EQ(problem(ready + R"(,"slots":"2")"), stands + "slots \"2\" is not an integer");
  EXPECT_EQ(problem(ready + R"(,"slots":1,"memory":-5)"), stands + "memory -5 is below 0");
  EXPECT_EQ(problem(ready + R"(,"slots":1,"build":7)"), stands + "build 7 is not a text");
  EXPECT_EQ(problem(R"("type":"ready","slots":1)"), stands + "it has no device");
  EXPECT_EQ(problem(R"("type":"ready","slots":1,"device":"")"), stands + "device is empty");
  EXPECT_EQ(problem(ready + R"(,"slots":1000000000)"), stands + "slots 1000000000 is above 10000");
  EXPECT_EQ(problem(R"("type":"saved","trial":"t","lease":1,"step":-1)"),
            stands + "step -1 is below 0");
  EXPECT_EQ(problem(R"("type":"alive","slots":{})"), stands + "slots {} is not a list");
  EXPECT_EQ(problem(R"("type":"progress","trial":"t","lease":1,"epoch":1,"of":2,"loss":"low")"),
            stands + "loss \"low\" is not a number");
  const auto row = [&](const std::string& members) {
    return problem(R"("type":"progress","trial":"t","lease":1,)" + members);
  };
  EXPECT_EQ(row(R"("epoch":5,"of":2)"), stands + "there is no epoch 5 of 2");
  EXPECT_EQ(row(R"("epoch":0,"of":2)"), stands + "epoch 0 is below 1");
  EXPECT_EQ(row(R"("epoch":1,"of":2,"accuracy":7)"), stands + "accuracy 7 is not in 0..1");
  EXPECT_EQ(row(R"("epoch":1,"of":2,"learning_rate":-1)"), stands + "learning_rate -1 is below 0");
  EXPECT_EQ(row(R"("epoch":1,"of":2,"images_per_second":-1)"),
            stands + "images_per_second -1 is below 0");
  EXPECT_EQ(problem(R"("type":"outcome","trial":"t","lease":1,"status":"completed",)"
                    R"("train_seconds":-0.5)"),
            stands + "train_seconds -0.5 is below 0");
  EXPECT_EQ(problem_with("{'type': 'ready'}").find("json.exception"), std::string::npos);
}

TEST(Messages, OfScoresThatCannotBeSayWhichMemberIsWrong) {
  const auto error = [](const std::string& members) {
    return std::get<Outcome>(
               read_up(R"({"type":"outcome","trial":"t","lease":1,"status":"completed",)"
                       R"("evaluations":[{"features":"pool","classifier":"kde","auroc":1,)"
                       R"("average_precision":1,"fpr95":0,)" +
                       members + "}]}"))
        .error;
  };
  const std::string stands = "its scores cannot be read: ";
  EXPECT_EQ(error(R"("outliers":0,"inliers":1,"seconds":0)"), stands + "outliers 0 is below 1");
  EXPECT_EQ(error(R"("outliers":1,"inliers":0,"seconds":0)"), stands + "inliers 0 is below 1");
  EXPECT_EQ(error(R"("outliers":4,"inliers":1)"), stands + "it has no seconds");
  EXPECT_EQ(error(R"("outliers":4,"inliers":1,"seconds":"1 s")"),
            stands + "seconds \"1 s\" is not a number");
  EXPECT_EQ(error(R"("outliers":4,"inliers":1,"seconds":0,"parameters":[])"),
            stands + "parameters [] is not an object");
  EXPECT_EQ(error(R"("outliers":4,"inliers":1,"seconds":0)"), "");
}

TEST(Messages, OfAFailureWithoutAReasonSaySo) {
  for (const std::string status : {"failed", "diverged"})
    EXPECT_EQ(std::get<Outcome>(
                  read_up(R"({"type":"outcome","trial":"t","lease":1,"status":")" + status + "\"}"))
                  .error,
              "the worker gave no reason (its outcome has no error)");
}

// nlohmann copies and prints by recursion, which ends with the stack.
TEST(Messages, RefuseWhatIsNestedTooDeeply) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(problem_with(deep).rfind("not a message: it is nested too deeply", 0), 0U);
  EXPECT_EQ(problem_with(R"({"type":"outcome","trial":"t","lease":1,"status":"completed",)"
                         R"("evaluations":)" +
                         deep + std::string(1'000'000, ']') + "}")
                .rfind("not a message: it is nested too deeply", 0),
            0U);
}

TEST(Messages, OfOneScoreAreOneWhateverElseTheyName) {
  const auto score = [](const std::string& parameters) {
    return R"({"features":"pool","classifier":"kde","parameters":)" + parameters +
           R"(,"auroc":1,"average_precision":1,"fpr95":0,"outliers":1,"inliers":1,"seconds":0})";
  };
  const auto outcome = std::get<Outcome>(
      read_up(R"({"type":"outcome","trial":"t","lease":1,"status":"completed","evaluations":[)" +
              score(R"({"nu":0.1})") + "," + score(R"({"k":3})") + "]}"));
  EXPECT_EQ(outcome.status, OutcomeStatus::failed);
  EXPECT_EQ(outcome.error, "its scores cannot be read: one stands there twice");
}

TEST(Messages, RefuseATypeThatIsNotOfTheirDirection) {
  EXPECT_EQ(problem_with(R"({"type":"stop"})"),
            "not a message: type 'stop' is none of: ready, alive, progress, saved, ticket, "
            "scoring, outcome, "
            R"(stopped, left, log: {"type":"stop"})");
  EXPECT_EQ(message_of([] { read_down(R"({"type":"ready"})"); }),
            "not a message: type 'ready' is none of: begin, start, leave, stop, exit: "
            R"({"type":"ready"})");
  EXPECT_EQ(problem_with(R"({"type":"outcome","trial":"t","lease":1,"status":"done"})")
                .rfind("not a message: 'done' is none of: completed, diverged, failed", 0),
            0U);
}

}  // namespace
}  // namespace occam
