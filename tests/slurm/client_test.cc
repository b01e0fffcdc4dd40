#include "slurm/client.h"

#include <gmock/gmock.h>

#include "slurm/duration.h"
#include "slurm/site.h"
#include "tests/message_of.h"

namespace occam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SlurmSeconds, ReadsEveryWayThatSlurmWritesATime) {
  EXPECT_EQ(slurm_seconds("90"), 90 * 60);
  EXPECT_EQ(slurm_seconds("12:30"), 12 * 60 + 30);
  EXPECT_EQ(slurm_seconds("24:00:00"), 24 * 3600);
  EXPECT_EQ(slurm_seconds("2-3"), 51 * 3600);
  EXPECT_EQ(slurm_seconds("2-03:30"), 51 * 3600 + 1800);
  EXPECT_EQ(slurm_seconds("1-00:00:05"), 86405);
  for (const char* none : {"", "UNLIMITED", "INVALID", "1:2:3:4", "1:", "-5", "a day"})
    EXPECT_EQ(slurm_seconds(none), std::nullopt) << none;
}

TEST(Queue, IsReadLineByLine) {
  const auto jobs = read_queue(
      "12|RUNNING|None|2026-01-02T03:04:05|12:30|n[1-2]\n"
      "13_2|PENDING|Resources|N/A|1:00:00|\n");
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].id + jobs[0].state + jobs[0].left + jobs[0].nodes, "12RUNNING12:30n[1-2]");
  EXPECT_EQ(jobs[1].id + jobs[1].reason + jobs[1].start + jobs[1].nodes, "13_2ResourcesN/A");
  EXPECT_TRUE(read_queue("").empty());
}

TEST(MpiKinds, AreReadAsOlderAndNewerSlurmsListThem) {
  EXPECT_THAT(read_mpi_kinds("MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\n"
                             "specific pmix plugin versions available: pmix_v3,pmix_v4\n"),
              ElementsAre("none", "pmi2", "pmix", "pmix_v3", "pmix_v4"));
  EXPECT_THAT(read_mpi_kinds("srun: MPI types are...\nsrun: pmix\nsrun: none\n"),
              ElementsAre("pmix", "none"));
}

TEST(ClusterFacts, AreReadFromScontrol) {
  const ClusterFacts facts = read_cluster_facts(
      "Configuration data as of now\nJobRequeue              = 1\nMaxArraySize            = 1001\n"
      "PreemptMode             = GANG,SUSPEND\nSLURM_VERSION           = 22.05.8\n");
  EXPECT_TRUE(facts.requeue);
  EXPECT_EQ(facts.max_array_size, 1001);
  EXPECT_EQ(facts.preempt_mode, "GANG,SUSPEND");
  EXPECT_EQ(facts.version, "22.05.8");
}

TEST(Site, IsReadWithWhatIsWrongInIt) {
  const Site site = read_site(R"({
    // always
    "modules": ["cuda/12", "my mpi"], "setup": ["source ~/env.sh"],
    "sbatch": ["--account=lab"], "launcher": "mpirun"})",
                              "slurm.json");
  EXPECT_THAT(site.setup,
              ElementsAre("module load cuda/12", "module load 'my mpi'", "source ~/env.sh"));
  EXPECT_THAT(site.sbatch, ElementsAre("--account=lab"));
  EXPECT_EQ(site.launcher, "mpirun");
  EXPECT_THAT(message_of([] { read_site("{\n\"modles\": []}", "slurm.json"); }),
              HasSubstr("did you mean 'modules'"));
  EXPECT_EQ(message_of([] { read_site("{\"launcher\": \"ssh\"}", "slurm.json"); }),
            "slurm.json:1: launcher: 'ssh' is none of: srun, mpirun");
}

TEST(Program, IsAskedToItsEnd) {
  const Answer answer = ask_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.out + answer.err, "out\nerr\n");
  EXPECT_EQ(ask_program({"sh", "-c", "kill -9 $$"}).code, 137);
  EXPECT_EQ(ask_program({"sleep", "60"}, std::chrono::seconds(1)).code, 124);
  EXPECT_THAT(message_of([] { ask_program({"no-such-program"}); }), HasSubstr("cannot be started"));
  EXPECT_FALSE(has_program("no-such-program"));
}

}  // namespace
}  // namespace occam
