#include "slurm/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/temporary_folder.h"

namespace occam {
namespace {

// Only these of Slurm's variables, for the test's time.
class SlurmEnvironment : public testing::Test {
 protected:
  SlurmEnvironment() {
    for (const char* name : kNames) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      unsetenv(name);
    }
  }
  ~SlurmEnvironment() override {
    for (const char* name : kNames) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  static constexpr const char* kNames[] = {"SLURM_JOB_ID",
                                           "SLURM_ARRAY_JOB_ID",
                                           "SLURM_ARRAY_TASK_ID",
                                           "SLURM_JOB_END_TIME",
                                           "SLURM_STEP_NUM_TASKS",
                                           "SLURM_RESTART_COUNT",
                                           "OMPI_COMM_WORLD_RANK",
                                           "SLURM_STEP_ID",
                                           "SLURM_CPUS_PER_TASK",
                                           "SLURM_CPUS_ON_NODE",
                                           "PATH"};
  std::map<std::string, std::string> before_;
};

TEST_F(SlurmEnvironment, OutsideSlurmSaysNothing) {
  EXPECT_EQ(slurm_job(), "");
  EXPECT_EQ(slurm_restart_count(), 0);
  EXPECT_EQ(slurm_tasks_of_step(), 1);
  EXPECT_EQ(slurm_job_end(), std::nullopt);
  EXPECT_FALSE(started_by_srun());
  EXPECT_EQ(slurm_cores_of_node(1), std::nullopt);
}

TEST_F(SlurmEnvironment, CountsTheCoresOfItsTasksElseOfTheNode) {
  setenv("SLURM_CPUS_ON_NODE", "8", 1);
  EXPECT_EQ(slurm_cores_of_node(2), 8);
  setenv("SLURM_CPUS_PER_TASK", "3", 1);
  EXPECT_EQ(slurm_cores_of_node(2), 6);
}

TEST_F(SlurmEnvironment, NamesTheJobAndItsRestarts) {
  setenv("SLURM_JOB_ID", "14", 1);
  setenv("SLURM_RESTART_COUNT", "2", 1);
  EXPECT_EQ(slurm_job(), "14");
  EXPECT_EQ(slurm_restart_count(), 2);
  setenv("SLURM_ARRAY_JOB_ID", "12", 1);
  setenv("SLURM_ARRAY_TASK_ID", "3", 1);
  EXPECT_EQ(slurm_job(), "12_3");
}

TEST_F(SlurmEnvironment, TakesTheEndFromTheEnvironmentElseFromSqueue) {
  setenv("SLURM_JOB_ID", "14", 1);
  setenv("SLURM_JOB_END_TIME", "1800000000", 1);
  EXPECT_EQ(slurm_job_end(), 1800000000);
  unsetenv("SLURM_JOB_END_TIME");
  EXPECT_EQ(slurm_job_end(), std::nullopt) << "there is no squeue on the empty PATH";

  const TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  const auto answer = [&](const std::string& text) {
    std::ofstream(folder / "squeue")
        << "#!/bin/sh\n[ \"$*\" = '-h -j 14 -o %L' ] && echo " << text << "\n";
    std::filesystem::permissions(folder / "squeue", std::filesystem::perms::owner_all);
  };
  setenv("PATH", folder.c_str(), 1);
  answer("1:02:03");
  EXPECT_NEAR(static_cast<double>(slurm_job_end().value_or(0)),
              static_cast<double>(std::time(nullptr) + 3723), 2);
  setenv("SLURM_ARRAY_JOB_ID", "14", 1);
  setenv("SLURM_ARRAY_TASK_ID", "2", 1);
  EXPECT_EQ(slurm_job_end(), std::nullopt) << "of an array squeue is asked for the task alone";
  unsetenv("SLURM_ARRAY_JOB_ID");
  answer("UNLIMITED");
  EXPECT_EQ(slurm_job_end(), std::nullopt);
}

TEST_F(SlurmEnvironment, KnowsSrunFromMpirun) {
  setenv("SLURM_STEP_ID", "0", 1);
  EXPECT_TRUE(started_by_srun());
  setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  EXPECT_FALSE(started_by_srun());
}

}  // namespace
}  // namespace occam
