#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace occam {

// How the ranks of a job on several nodes find each other.
enum class Launcher { srun_pmix, mpirun };

// All that decides a job's script.
struct BatchJob {
  std::string sweep;   // the spec's name, which becomes the job's
  std::string folder;  // where it runs: file names below may be relative to it
  std::string occam;   // the program
  std::string spec, database;
  std::vector<std::string> run_options;  // words for `occam run`

  int nodes = 1;          // of one job; an array's tasks take one each
  int cpus_per_task = 1;  // of a node
  int gpus_per_node = 0;
  std::string gres;         // instead of gpus_per_node, on clusters that know GPUs by it alone
  std::string time;         // as Slurm writes it
  int warn_before = 300;    // seconds before the end at which Slurm sends USR1
  bool requeue = true;      // false in chains
  int shards = 0;           // 0: one job; K: an array of K parts of the sweep
  std::vector<int> only;    // of an array the indices to submit, 1…K; empty is all
  int at_once = 0;          // of an array the most that run at a time; 0 is any
  std::string scratch;      // folder on each node's own disk for checkpoints; empty: DB.work
  double copy_every = 300;  // seconds between copies of that back to DB.work

  Launcher launcher = Launcher::srun_pmix;  // of a job on several nodes
  std::vector<std::string> setup;           // lines of shell before the run, of the user's file
  std::vector<std::string> sbatch;          // further options for sbatch, words
};

// Beside a database: the scripts and jobs of its submissions; the files of its shards.
std::string slurm_folder(const std::string& database);
std::string shard_database(const std::string& database, int shard, int of);
// Those that are there, of arrays of any size.
std::vector<std::string> shard_databases(const std::string& database);

// The script that sbatch runs: bash, readable, and complete without occam submit. It forwards USR1
// to the run, and requeues the job after its own USR1 and exit code 75 alone: what TERM ends was
// preempted (then Slurm requeues it by itself) or cancelled. A pure function.
std::string batch_script(const BatchJob& job);

// The script that takes the files of an array's shards into the database.
std::string merge_script(const BatchJob& job);

}  // namespace occam
