#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/node.h"
#include "orchestrator/preflight.h"
#include "orchestrator/progress.h"
#include "results/local_disk.h"
#include "results/store_lock.h"
#include "slurm/client.h"
#include "slurm/environment.h"
#include "slurm/site.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDoctorUsage = R"(occam doctor [FOLDER]

Says what this machine and its Slurm cluster, where there is one, give a sweep whose database
would lie in FOLDER (here), and which way to submit works. Starts and changes nothing.

Examples:
  occam doctor
  srun --gpus-per-node=1 occam doctor /scratch/me          on a compute node
)";

void say(const std::string& what, const std::string& text) {
  fmt::print("{:<12} {}\n", what, text);
}

void describe_machine(const std::string& folder) {
  const int gpus = visible_gpus();
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  say("machine",
      fmt::format("{}: {} cores, {}{}", host_name(), usable_cores(),
                  gpus == 0 ? "no GPU" : fmt::format("{} GPU{}", gpus, gpus == 1 ? "" : "s"),
                  visible ? fmt::format(" (CUDA_VISIBLE_DEVICES={})", visible) : ""));
  say("worker", fs::exists(worker_program())
                    ? worker_program()
                    : "missing: " + worker_program() + "; build the target occam-worker");
  const std::string link = program_folder() + "/occam-mpi.so";
  say("MPI",
      fs::exists(link) ? link : "not built (-DOCCAM_MPI=ON): one node a job, so use --shards");
  say("databases", is_on_local_disk(folder)
                       ? "in " + folder +
                             ": on a local disk, with a write-ahead log; other nodes "
                             "do not see it unless it is exported"
                       : "in " + folder + ": on a network file system, with a rollback journal");
}

void describe_job() {
  if (slurm_job().empty()) return;
  const auto end = slurm_job_end();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  say("Slurm job", fmt::format("{}, requeued {} times, {}", slurm_job(), slurm_restart_count(),
                               end ? duration_text(static_cast<double>(*end - now)) + " left"
                                   : "without a known end"));
}

void describe_cluster() {
  if (!has_program("sbatch")) {
    say("Slurm", "no sbatch on the PATH: occam run here, or mpirun --hostfile over several nodes");
    return;
  }
  bool pmix = false;
  std::vector<std::string> kinds;
  if (has_program("srun")) kinds = mpi_kinds();
  for (const std::string& kind : kinds) pmix |= kind == "pmix";
  const std::string one_job = pmix                    ? "srun --mpi=pmix"
                              : has_program("mpirun") ? "mpirun"
                                                      : "neither pmix nor mpirun: use --shards";
  const std::string file = site_file();
  if (!has_program("scontrol")) {
    say("Slurm", "scontrol is missing here: a job cannot requeue itself, so use --chain");
    say("MPI jobs", one_job + " (srun --mpi=list: " + joined(kinds) + ")");
    return;
  }
  const ClusterFacts facts = cluster_facts();
  say("Slurm", facts.version);
  say("MPI jobs", one_job + " (srun --mpi=list: " + joined(kinds) + ")");
  say("arrays", facts.max_array_size > 1
                    ? fmt::format("--shards up to {} (MaxArraySize {})", facts.max_array_size - 1,
                                  facts.max_array_size)
                    : "not allowed: --shards 0 alone");
  const bool cancels = facts.preempt_mode.find("CANCEL") != std::string::npos;
  say("requeue", facts.requeue ? "allowed (JobRequeue=1), where compute nodes have scontrol: srun "
                                 "occam doctor says so there"
                               : "off unless asked for (JobRequeue=0): submit asks with --requeue");
  say("preemption",
      facts.preempt_mode + (cancels ? ": preempted jobs are not requeued; use --chain" : ""));
  const Answer partitions = ask_program({"sinfo", "--noheader", "--format",
                                         "%P %a, %D nodes of %c "
                                         "cores, %G, at most %l, preemption %M"});
  std::string text = partitions.ok() ? partitions.out : partitions.err;
  for (const std::string& line : split_lines(text)) say("partition", line);
  say("your file", file + (fs::exists(file) ? "" : " (none yet)"));
  read_site();  // says what is wrong with it
  say("so", cancels ? "occam submit SPEC --chain K …" : "occam submit SPEC …, which requeues");
}

int run_doctor(const std::vector<std::string>& words) {
  const Arguments arguments(words, boost::program_options::options_description("Options"), 0, 1,
                            kDoctorUsage);
  if (arguments.helped()) return 0;
  const std::string folder =
      fs::absolute(arguments.positional().empty() ? "." : arguments.positional().front())
          .lexically_normal();
  if (!fs::is_directory(folder)) throw UsageError(folder + ": is no folder");
  describe_machine(folder);
  describe_job();
  try {
    describe_cluster();
  } catch (const UsageError&) {  // of the user's file
    throw;
  } catch (const Error& problem) {
    say("Slurm",
        std::string("is installed and does not answer, so occam run here: ") + problem.what());
  }
  return 0;
}

}  // namespace

const Subcommand kDoctorCommand{"doctor", "what this machine and its cluster allow", run_doctor};

}  // namespace occam
