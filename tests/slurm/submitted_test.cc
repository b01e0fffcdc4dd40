#include "slurm/submitted.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/message_of.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// A folder for a database, and a squeue of our own that writes down every call.
class SubmittedJobsTest : public testing::Test {
 protected:
  SubmittedJobsTest() {
    fs::create_directories(database_ + ".slurm");
    if (const char* path = std::getenv("PATH")) path_ = path;
    setenv("PATH", (folder_.string() + ":" + path_).c_str(), 1);
  }
  ~SubmittedJobsTest() override { setenv("PATH", path_.c_str(), 1); }

  // squeue does as these lines of shell say.
  void squeue(const std::string& lines) {
    std::ofstream(folder_ / "squeue")
        << "#!/bin/sh\necho \"$*\" >>'" << (folder_ / "calls").string() << "'\n"
        << lines << "\n";
    fs::permissions(folder_ / "squeue", fs::perms::owner_all);
  }
  std::size_t calls() const {
    std::ifstream file(folder_ / "calls");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  const std::string database_ = folder_ / "occam.db";
  std::string path_;
};

constexpr std::int64_t kNow = 1'800'000'000;

TEST_F(SubmittedJobsTest, AsksSqueueAtMostEveryThirtySecondsWhoeverAsks) {
  squeue("echo '7|RUNNING|None|2026-01-02T03:04:05|12:30|n1'");
  SubmittedJobs(database_).record({{"7", "sweep"}});
  for (const std::int64_t second : {0, 1, 29})
    EXPECT_EQ(SubmittedJobs(database_).queued(kNow + second).at(0).state, "RUNNING");
  EXPECT_EQ(calls(), 1u);

  squeue("exit 0");
  EXPECT_EQ(SubmittedJobs(database_).queued(kNow + 29).size(), 1u) << "its last answer";
  EXPECT_TRUE(SubmittedJobs(database_).queued(kNow + 30).empty());
  EXPECT_TRUE(SubmittedJobs(database_).queued(kNow + 59).empty());
  EXPECT_EQ(calls(), 2u);
}

TEST_F(SubmittedJobsTest, AsksASqueueThatDoesNotAnswerNoMoreOften) {
  squeue("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1");
  SubmittedJobs(database_).record({{"7", "sweep"}});
  for (const std::int64_t second : {0, 5, 29})
    EXPECT_THAT(message_of([&] { SubmittedJobs(database_).queued(kNow + second); }),
                HasSubstr("Unable to contact slurm controller"));
  EXPECT_EQ(calls(), 1u);
  squeue("echo '7|PENDING|Resources|N/A|1:00:00|'");
  EXPECT_EQ(SubmittedJobs(database_).queued(kNow + 30).at(0).reason, "Resources");
}

TEST_F(SubmittedJobsTest, AsksAtOnceAfterASubmissionAndNeverWithoutJobs) {
  squeue("echo '7|PENDING|Resources|N/A|1:00:00|'");
  EXPECT_TRUE(SubmittedJobs(database_).queued(kNow).empty());
  EXPECT_EQ(calls(), 0u);
  SubmittedJobs(database_).record({{"7", "sweep"}});
  SubmittedJobs(database_).queued(kNow);
  SubmittedJobs(database_).record({{"8", "shards", 4}, {"9", "merge"}});
  SubmittedJobs jobs(database_);
  jobs.queued(kNow + 1);
  EXPECT_EQ(calls(), 2u);
  EXPECT_THAT(jobs.ids(), ElementsAre("8", "9"));
  EXPECT_EQ(jobs.all().at(0).part + std::to_string(jobs.all().at(0).of), "shards4");
}

TEST_F(SubmittedJobsTest, SaysWhereTheJobsCannotBeWrittenDown) {
  fs::remove_all(database_ + ".slurm");
  EXPECT_THAT(message_of([&] {
                SubmittedJobs(database_).record({{"7", "sweep"}});
              }),
              HasSubstr("know of job 7"));
}

}  // namespace
}  // namespace occam
