#include "slurm/batch_script.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace occam {
namespace {

using testing::HasSubstr;
using testing::Not;

BatchJob one_node() {
  BatchJob job;
  job.sweep = "batch-size";
  job.folder = "/home/me/sweeps";
  job.occam = "/opt/occam/bin/occam";
  job.spec = "batch-size.json";
  job.database = "occam.db";
  job.gpus_per_node = 8;
  job.cpus_per_task = 32;
  job.time = "24:00:00";
  return job;
}

// The script as tests/golden/slurm/NAME.sh has it. OCCAM_WRITE_GOLDEN=1 writes that file.
void expect_golden(const std::string& name, const std::string& script) {
  const std::string path = OCCAM_SOURCE_DIR "/tests/golden/slurm/" + name + ".sh";
  if (std::getenv("OCCAM_WRITE_GOLDEN")) std::ofstream(path) << script;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(script, golden.str()) << path;
}

TEST(BatchScript, OfOneNode) { expect_golden("one_node", batch_script(one_node())); }

TEST(BatchScript, OfSeveralNodes) {
  BatchJob job = one_node();
  job.nodes = 2;
  expect_golden("several_nodes", batch_script(job));
}

TEST(BatchScript, OfSeveralNodesWithoutPmix) {
  BatchJob job = one_node();
  job.nodes = 2;
  job.launcher = Launcher::mpirun;
  job.gpus_per_node = 0;
  job.gres = "gpu:4";
  expect_golden("mpirun", batch_script(job));
}

TEST(BatchScript, OfAnArrayOfParts) {
  BatchJob job = one_node();
  job.shards = 4;
  expect_golden("shards", batch_script(job));
}

TEST(BatchScript, OfTwoPartsOfManyAfterOneAnother) {
  BatchJob job = one_node();
  job.shards = 16;
  job.only = {3, 11};
  job.at_once = 1;
  expect_golden("some_shards", batch_script(job));
}

TEST(BatchScript, OfTheMerge) {
  BatchJob job = one_node();
  job.shards = 4;
  job.sbatch = {"--partition=gpu"};
  expect_golden("merge", merge_script(job));
}

TEST(BatchScript, OfAChainWithoutGpus) {
  BatchJob job = one_node();
  job.requeue = false;
  job.gpus_per_node = 0;
  job.time = "2:00:00";
  job.warn_before = 600;
  expect_golden("chain", batch_script(job));
}

TEST(BatchScript, WithModulesSetUpAndOptionsOfTheUser) {
  BatchJob job = one_node();
  job.setup = {"module load cuda/12", "export NCCL_DEBUG=WARN"};
  job.sbatch = {"--account=lab", "--partition=gpu", "--comment=a longer night", "-J", "mine"};
  job.run_options = {"--data", "/data/my images", "--slots", "4"};
  expect_golden("site", batch_script(job));
}

TEST(BatchScript, WithCheckpointsOnTheNodesOwnDisks) {
  BatchJob job = one_node();
  job.scratch = "/local";
  expect_golden("scratch", batch_script(job));
}

TEST(BatchScript, WithCheckpointsOnTheDisksOfSeveralNodes) {
  BatchJob job = one_node();
  job.nodes = 2;
  job.scratch = "/local";
  job.copy_every = 60;
  expect_golden("scratch_of_several_nodes", batch_script(job));
}

TEST(BatchScript, OfAMergeHasNoMoreTimeThanTheParts) {
  BatchJob job = one_node();
  job.shards = 4;
  EXPECT_THAT(merge_script(job), HasSubstr("--time=1:00:00\n"));
  job.time = "30";
  EXPECT_THAT(merge_script(job), HasSubstr("--time=30\n"));
}

TEST(BatchScript, DoublesABackslashForSbatch) {
  BatchJob job = one_node();
  job.sbatch = {"--comment=a\\b"};
  EXPECT_THAT(batch_script(job), HasSubstr("#SBATCH '--comment=a\\\\b'\n"));
}

TEST(BatchScript, WithNamesThatAShellWouldTakeApart) {
  BatchJob job = one_node();
  job.sweep = "it's $HOME";
  job.folder = "/home/me/my sweeps";
  job.spec = "a b.json";
  job.database = "my results.db";
  expect_golden("quoted", batch_script(job));
}

TEST(BatchScript, AsksSlurmForAnotherTurnOnlyWhereItMay) {
  BatchJob job = one_node();
  EXPECT_THAT(batch_script(job), HasSubstr("scontrol requeue"));
  job.requeue = false;
  EXPECT_THAT(batch_script(job), Not(HasSubstr("scontrol")));
  EXPECT_THAT(batch_script(job), HasSubstr("--no-requeue"));
}

TEST(BatchScript, NamesThePartsFileByItsNumber) {
  EXPECT_EQ(shard_database("a/occam.db", 3, 4), "a/occam.db.shards/3-of-4.db");
}

}  // namespace
}  // namespace occam
