#include "orchestrator/commands/submit_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "experiments/error.h"
#include "experiments/number.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/node.h"
#include "slurm/duration.h"

namespace occam {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* kSubmitUsage = R"(occam submit SPEC --time T [OPTIONS] [-- SBATCH-OPTIONS]

Submits the sweep as a Slurm job that goes on by itself after its time limit, preemption and lost
nodes. On several nodes it is an array of parts, one a node, each with a database of its own, and
a job that merges them into --db; --shards 0, or a trial of more GPUs than a node has, makes it
one job over MPI. Submitted again, it submits what is missing and not in the queue.

Examples:
  occam submit spec.json --gpus-per-node 8 --time 24:00:00             one node
  occam submit spec.json --nodes 4 --gpus-per-node 8 --time 24:00:00   four parts as nodes come free
  occam submit spec.json --nodes 4 --shards 0 --cpus-per-task 32 --time 2:00:00    one job, over MPI
  occam submit spec.json --cpus-per-task 8 --time 4:00:00 --chain 5     where none is requeued
  occam submit spec.json --gpus-per-node 4 --time 8:00:00 --dry-run -- --partition=gpu --account=lab

Modules and options that this cluster always wants: ~/.config/occam/slurm.json, see
slurm/README.md.
)";

// Handed on to `occam run` as they are; `run` checks them.
constexpr const char* kRunOptions[] = {"device",  "workers", "slots",        "parts",
                                       "threads", "data",    "work",         "limit",
                                       "order",   "worker",  "max-attempts", "checkpoint-every",
                                       "stall",   "silence", "keep",         "journal"};

// "gpu:4" and "gpu:a100:4,nvme:1" are four, "gpu" is one, "nvme:1" none.
int gpus_of(const BatchJob& job) {
  if (job.gpus_per_node > 0) return job.gpus_per_node;
  int all = 0;
  for (const std::string& one : split_list(job.gres)) {
    if (one != "gpu" && !one.starts_with("gpu:")) continue;
    int count = 1;
    const std::string counted = one.substr(0, one.find('('));  // "gpu:4(S:0-1)"
    read_number(std::string_view(counted).substr(counted.rfind(':') + 1), count);
    all += count;
  }
  return all;
}

}  // namespace

std::optional<SubmitOptions> read_submit_options(const std::vector<std::string>& words) {
  SubmitOptions options;
  BatchJob& job = options.job;
  const auto end = std::find(words.begin(), words.end(), "--");
  bool no_requeue = false, deterministic = false;
  int shards = 0;
  std::vector<std::string> run_values(std::size(kRunOptions));
  po::options_description described("Options");
  described.add_options()("db", po::value(&job.database)->default_value("occam.db"), "database")(
      "time", po::value(&job.time), "limit of one job, as Slurm writes it: 24:00:00, 2-00:00:00")(
      "nodes", po::value(&job.nodes)->default_value(1), "nodes; of an array the most at a time")(
      "gpus-per-node", po::value(&job.gpus_per_node)->default_value(0), "GPUs of each node")(
      "gres", po::value(&job.gres)->default_value("", "none"),
      "instead of --gpus-per-node where the cluster wants it: gpu:a100:4")(
      "cpus-per-task", po::value(&job.cpus_per_task)->default_value(0, "4 a GPU"),
      "cores of each node")("shards",
                            po::value(&shards)->default_value(0, "--nodes, where several"),
                            "parts of the sweep, each a job on one node; 0 is one job over MPI")(
      "chain", po::value(&options.chain)->default_value(1),
      "so many jobs, each after the one before, instead of requeueing")(
      "no-requeue", po::bool_switch(&no_requeue), "stop for good at the time limit")(
      "warn-before",
      po::value(&job.warn_before)->default_value(300, "300, or a quarter of a short time"),
      "seconds before the limit at which all checkpoints are written")(
      "scratch", po::value(&job.scratch)->default_value("", "checkpoints in DB.work"),
      "folder on each node's own disk for checkpoints, copied back to DB.work")(
      "dry-run", po::bool_switch(&options.dry_run), "print the script and submit nothing")(
      "parsable", po::bool_switch(&options.parsable), "print the jobs' ids alone, one a line");
  for (std::size_t i = 0; i < run_values.size(); ++i)
    described.add_options()(kRunOptions[i], po::value(&run_values[i]), "handed on to occam run");
  described.add_options()("only", po::value(&options.only)->composing(), "handed on to occam run")(
      "force-gangs", po::bool_switch(&options.force_gangs), "handed on to occam run")(
      "deterministic", po::bool_switch(&deterministic), "handed on to occam run");
  const Arguments arguments({words.begin(), end}, described, 1, 1, kSubmitUsage);
  if (arguments.helped()) return std::nullopt;

  job.spec = arguments.positional().front();
  std::map<std::string_view, std::string> given;
  for (std::size_t i = 0; i < run_values.size(); ++i)
    if (arguments.has(kRunOptions[i])) {
      given[kRunOptions[i]] = run_values[i];
      job.run_options.push_back(std::string("--") + kRunOptions[i]);
      job.run_options.push_back(run_values[i]);
    }
  if (given.count("data")) options.data = given["data"];
  // A copy a checkpoint, so that no more than that is lost with a node.
  if (given.count("checkpoint-every") &&
      (!read_number(std::string_view(given["checkpoint-every"]), job.copy_every) ||
       !(job.copy_every > 0)))
    throw UsageError("--checkpoint-every must be above 0");
  if (end != words.end()) job.sbatch.assign(end + 1, words.end());
  for (const std::string& word : job.sbatch)
    if (word == "--wait" || word == "-W")
      throw UsageError(word + " would hold occam submit until the jobs end; leave it out");

  const auto seconds = slurm_seconds(job.time);
  options.gpus = gpus_of(job);
  if (job.time.empty())
    throw UsageError("--time is missing: how long one job may take, such as 24:00:00");
  if (!seconds || *seconds <= 0)
    throw UsageError("--time '" + job.time +
                     "' is no time; write 90 (minutes), 24:00:00 or 2-00:00:00");
  if (job.nodes < 1) throw UsageError("--nodes must be at least 1");
  if (shards < 0) throw UsageError("--shards must be at least 0");
  if (options.chain < 1) throw UsageError("--chain must be at least 1");
  if (job.gpus_per_node < 0) throw UsageError("--gpus-per-node must be at least 0");
  if (job.gpus_per_node > 0 && !job.gres.empty())
    throw UsageError("give --gpus-per-node or --gres, not both");
  if (!job.scratch.empty() && given.count("work"))
    throw UsageError("give --scratch or --work, not both");
  if (arguments.has("cpus-per-task") ? job.cpus_per_task < 1 : options.gpus == 0)
    throw UsageError(
        "say with --cpus-per-task how many cores a node gives (one trial runs on each), "
        "or with --gpus-per-node how many GPUs");
  if (job.cpus_per_task == 0) job.cpus_per_task = 4 * options.gpus;
  if (!arguments.has("warn-before"))
    job.warn_before = static_cast<int>(std::min<std::int64_t>(300, *seconds / 4));
  options.seconds = *seconds;
  // The run stops by itself a minute before the end, or a tenth of a short time; the warning that
  // makes the job ask for another turn has to come earlier.
  const std::int64_t least = std::min<std::int64_t>(75, *seconds / 5);
  if (job.warn_before < least || job.warn_before >= *seconds)
    throw UsageError(
        fmt::format("--warn-before must be from {} to below --time, in seconds", least));

  // A trial whose duration is unknown starts where it can reach a checkpoint.
  const auto usable = static_cast<double>(*seconds - job.warn_before);
  if (given.count("checkpoint-every") && job.copy_every >= usable)
    throw UsageError(fmt::format(
        "--checkpoint-every must be below the {} s that --time leaves before its warning", usable));
  if (!given.count("checkpoint-every") && job.copy_every > usable / 4) {
    job.copy_every = std::floor(usable / 4);
    job.run_options.insert(job.run_options.end(), {"--checkpoint-every", spelled(job.copy_every)});
  }

  for (const std::string& condition : options.only)
    job.run_options.insert(job.run_options.end(), {"--only", condition});
  if (options.force_gangs) job.run_options.push_back("--force-gangs");
  if (deterministic) job.run_options.push_back("--deterministic");
  options.workers = options.gpus > 0 ? options.gpus : job.cpus_per_task;
  if (given.count("workers") &&
      (!read_number(std::string_view(given["workers"]), options.workers) || options.workers < 1))
    throw UsageError("--workers must be at least 1");
  if (arguments.has("shards")) options.shards = shards;
  job.requeue = options.chain == 1 && !no_requeue;
  job.folder = fs::current_path();
  for (const std::string& name : {job.folder, job.database})
    if (name.find_first_of("%\\\n") != std::string::npos)
      throw UsageError(name +
                       ": Slurm would read a % or \\ in the name of a log as a pattern; use a "
                       "folder and a --db without");
  job.occam = program_folder() + "/occam";
  return options;
}

void divide(SubmitOptions& options, std::int64_t largest_gang) {
  BatchJob& job = options.job;
  const bool fits = largest_gang <= options.workers;
  job.shards = options.shards.value_or(job.nodes > 1 && fits ? job.nodes : 0);
  if (job.shards == 0) return;
  if (!fits)
    throw UsageError(fmt::format(
        "--shards {}: a trial wants gpus {}, more than the {} of one node, which is all "
        "that a part has; --shards 0 makes all --nodes one job",
        job.shards, largest_gang, options.workers));
  for (const std::string& word : job.run_options)
    if (word == "--work")
      throw UsageError(
          "--work is one folder, and each part needs its own: leave it out, or give --scratch");
  if (job.nodes > 1 && job.nodes < job.shards) job.at_once = job.nodes;
  job.nodes = 1;
}

}  // namespace occam
