// What commands print of rows, events and options.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "orchestrator/commands/command.h"
#include "orchestrator/commands/run_options.h"
#include "orchestrator/event_log.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;

constexpr const char* kManyRows =
    "WITH RECURSIVE n(i) AS (SELECT 1000001 UNION ALL SELECT i + 1 FROM n WHERE i < 1600000) "
    "SELECT i FROM n";

class PrintingCommands : public StoreTest {
 protected:
  PrintingCommands() {
    Store(path_, Store::Mode::write).record_sweep(spec(), expansion({trial(0)}));
  }
  ~PrintingCommands() override { set_temporary(before_); }
  static void set_temporary(const std::optional<std::string>& folder) {
    if (folder)
      setenv("TMPDIR", folder->c_str(), 1);
    else
      unsetenv("TMPDIR");
  }
  static std::string printed(const Subcommand& command, const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    const std::string problem = message_of([&] { command.run(words); });
    const std::string out = testing::internal::GetCapturedStdout();
    return problem == "no error" ? out : problem;
  }

 private:
  const char* const named_ = std::getenv("TMPDIR");
  const std::optional<std::string> before_ =
      named_ ? std::optional<std::string>(named_) : std::nullopt;
};

TEST_F(PrintingCommands, NeedRoomForTemporaryFilesForManyRowsAlone) {
  set_temporary((folder_ / "nowhere").string());
  EXPECT_EQ(printed(kQueryCommand, {path_, "SELECT 1 AS one"}), "one\n1\n");
  EXPECT_THAT(printed(kExportCommand, {path_, "--view", "trials"}), HasSubstr(id_of(trial(0))));
  EXPECT_THAT(printed(kQueryCommand, {path_, kManyRows}), HasSubstr("TMPDIR names none; name one"));
  set_temporary(folder_.string());
  const std::string rows = printed(kQueryCommand, {path_, kManyRows});
  EXPECT_EQ(rows.size(), 2 + 8 * 600'000u);
  EXPECT_EQ(rows.substr(0, 10), "i\n1000001\n");
  EXPECT_EQ(rows.substr(rows.size() - 8), "1600000\n");
}

TEST_F(PrintingCommands, PlanTheTrialsThatAreAskedForAlone) {
  const std::string spec = (folder_ / "spec.json").string(), none = (folder_ / "none.db").string();
  std::ofstream(spec) << R"({"name": "s", "trial": {"dataset": "synthetic", "epochs": 1},
    "grid": {"seed": [1, 2, 3], "class": [0, 1]}, "evaluate": {"classifiers": ["kde"]}})";
  const auto plan = [&](const std::vector<std::string>& only) {
    std::vector<std::string> words{spec, "--db", none, "--workers", "2"};
    words.insert(words.end(), only.begin(), only.end());
    return printed(kPlanCommand, words);
  };
  EXPECT_THAT(plan({}), HasSubstr("s: 6 trials: 0 done, 6 to run"));
  EXPECT_THAT(plan({"--only", "seed=1"}), HasSubstr("s: 2 of 6 trials: 0 done, 2 to run"));
  EXPECT_THAT(plan({"--only", "seed=1,3", "--only", "class=0", "--json"}),
              HasSubstr(R"("trials":2,"of":6,"done":0)"));
  EXPECT_EQ(plan({"--only", "seed=4"}),
            "--only seed=4: no trial of s has that; their seed: 1, 2, 3");
  EXPECT_EQ(plan({"--only", "loss=rotation"}),
            "--only loss=rotation: no trial of s has that; their loss: contrastive");
  EXPECT_EQ(plan({"--only", "seed=1", "--only", "seed=2"}),
            "--only seed=1 --only seed=2: no trial of s is all of that");
}

TEST_F(PrintingCommands, LeaveEventsOutThatCannotBeReadAndNameThem) {
  const std::string path = EventLog::path_of(path_), id = id_of(trial(0));
  std::ofstream(path) << "{\"at\": \"1\", \"event\": \"started\", \"trial\": \"" << id
                      << "\"}\n{\"event\": \"started\", \"trial\": 7}\n{\"event\":\n[]\n"
                      << "{\"at\": \"2\", \"event\": \"outcome\", \"trial\": \"" << id << "\"}\n";
  testing::internal::CaptureStderr();
  EXPECT_EQ(printed(kLogsCommand, {path_, id}),
            "1 started  trial " + id + "\n2 outcome  trial " + id + "\n");
  const std::string said = testing::internal::GetCapturedStderr();
  for (const char* line : {":2", ":3", ":4"})
    EXPECT_THAT(said, HasSubstr(path + line + ": is no event that can be read"));
}

TEST_F(PrintingCommands, SayWhatANumberIsOf) {
  EXPECT_THAT(message_of([] {
                read_run_options({"spec.json", "--walltime", "24:00:00"}, false);
              }),
              HasSubstr("it takes a number: seconds after which all must have checkpointed"));
}

}  // namespace
}  // namespace occam
