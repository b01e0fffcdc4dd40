#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace occam {

// What a program said, and its exit code; 128 + n when signal n ended it.
struct Answer {
  int code = 0;
  std::string out, err;
  bool ok() const { return code == 0; }
};

// Runs a program of the PATH to its end, or kills it after `patience` (exit code 124). Throws Error
// when it cannot be started.
Answer ask_program(const std::vector<std::string>& words,
                   std::chrono::seconds patience = std::chrono::seconds(60));

// Whether the PATH has it.
bool has_program(const std::string& name);

// The following call Slurm's own programs. Each throws Error with Slurm's words where it refuses,
// and one that says what would work where the program is missing.

// sbatch: the new job's id. `words` are options, then the script's path.
std::string submit_script(const std::vector<std::string>& words);

// One job, or one task of an array, as squeue knows it.
struct QueuedJob {
  std::string id;      // 12, or 12_3 of an array
  std::string state;   // PENDING, RUNNING, …
  std::string reason;  // why it waits, such as Resources or Dependency; "None" for one that runs
  std::string start;   // began or is expected to begin; N/A where Slurm cannot say
  std::string left;    // of its time limit
  std::string nodes;   // where it runs; empty before
};
// Those of the given jobs that are still in the queue.
std::vector<QueuedJob> queued_jobs(const std::vector<std::string>& ids);
// The same from squeue's lines in kQueueFormat.
extern const char* const kQueueFormat;
std::vector<QueuedJob> read_queue(const std::string& lines);

void cancel_jobs(const std::vector<std::string>& ids);

// What `srun --mpi=list` names: pmix, pmi2, none, …
std::vector<std::string> mpi_kinds();
std::vector<std::string> read_mpi_kinds(const std::string& text);

// How this cluster is set up, of `scontrol show config`.
struct ClusterFacts {
  std::string version;
  bool requeue = false;             // JobRequeue: --requeue is not refused by default
  std::int64_t max_array_size = 0;  // indices are below it; 0 is no arrays
  std::string preempt_mode;         // OFF, CANCEL, REQUEUE, …
};
ClusterFacts cluster_facts();
ClusterFacts read_cluster_facts(const std::string& text);

}  // namespace occam
