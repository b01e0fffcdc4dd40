#include "orchestrator/commands/run_options.h"

#include <limits>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kRunUsage = R"(occam run SPEC [OPTIONS]

Trains and scores every trial of the sweep that the database does not hold yet. Run it again to go
on after any stop: nothing is done twice. Ctrl-C, SIGTERM or SIGUSR1: checkpoint and stop (exit
code 75); Ctrl-C twice: stop now.

Examples:
  occam run experiments/specs/quickstart.json --db quickstart.db
  occam run spec.json --only batch_size=32 --limit 2       a pilot
  mpirun -n 2 occam run spec.json                          one rank a node
  occam run spec.json --shard 2/4 --db 2.db          the second of four parts; then occam merge

Exit codes: 0 done, 1 could not run, 2 wrong spec or usage, 3 some trials failed or diverged,
75 stopped with work left.
)";

constexpr const char* kEvaluateUsage = R"(occam evaluate SPEC [OPTIONS]

Scores that the spec asks for and the database lacks, on features that an earlier run has kept:
new classifiers, or other nu, gamma_scale and k. Nothing is trained; trials without such features
are counted (exit code 3), and `occam run` trains them. `occam run` uses kept features just so.

Examples:
  occam evaluate spec.json --db occam.db
  occam evaluate spec.json --keep features,scores      with each image's scores, in DB.kept/TRIAL
)";

// Throws UsageError for what no clock can count, infinity and "nan" among it.
void check_seconds(const char* option, double seconds) {
  constexpr double kMost = 1e9;  // some thirty years
  if (!(seconds > 0 && seconds <= kMost))
    throw UsageError(std::string(option) + " must be above 0 and at most 1000000000 seconds");
}

}  // namespace

std::optional<RunOptions> read_run_options(const std::vector<std::string>& words, bool score_only) {
  RunOptions options;
  options.score_only = score_only;
  std::string order, keep, shard, journal;
  po::options_description described("Options");
  described.add_options()("db", po::value(&options.database)->default_value("occam.db"),
                          "database, made when it does not exist")(
      "device", po::value(&options.device)->default_value("auto"), "auto, cpu or cuda")(
      "workers", po::value(&options.workers)->default_value(0, "one a core or GPU"),
      "workers a node")(
      "slots", po::value(&options.slots)->default_value(0, "1 on a CPU, measured on a GPU"),
      "trials at once in a worker")(
      "parts", po::value(&options.parts)->default_value(options.parts),
      "into how many parts a GPU is divided among its trials, at most; 1 leaves it whole")(
      "threads", po::value(&options.threads)->default_value(1),
      "threads of a CPU trial; more than 1 changes the last bits of its numbers")(
      "data", po::value(&options.data)->default_value("", kDataFolders), "folder of the data sets")(
      "work", po::value(&options.work)->default_value("", "DB.work"), "folder for checkpoints")(
      "only", po::value(&options.only)->composing(), "FIELD=VALUE[,VALUE]: such trials alone")(
      "limit",
      po::value(&options.limit)->default_value(std::numeric_limits<std::int64_t>::max(), "all"),
      "at most so many trials")("shard", po::value(&shard)->default_value("1/1"),
                                "K/N: part K of the sweep's N, which take about as long")(
      "done-in", po::value(&options.done_in)->default_value("", "none"),
      "database whose finished trials are left out, where it exists")(
      "order", po::value(&order)->default_value("seed-major"),
      "seed-major (every cell's first seed before any second) or longest")(
      "max-attempts",
      po::value(&options.max_attempts)->default_value(CoordinatorOptions{}.max_attempts),
      "tries at a trial that fails by its own fault")(
      "checkpoint-every", po::value(&options.checkpoint_every)->default_value(300), "seconds")(
      "silence", po::value(&options.silence)->default_value(20),
      "seconds without a word after which a worker counts as hung")(
      "stall", po::value(&options.stall)->default_value(300),
      "seconds (and 20 of its slowest steps) without a step after which a trial counts as hung")(
      "walltime", po::value(&options.walltime)->default_value(0, "what Slurm's job has left"),
      "seconds after which all must have checkpointed (exit code 75)")(
      "keep", po::value(&keep)->default_value("features"),
      "what stays of each trial in DB.kept: none, or of features, weights, scores (of every "
      "image)")("worker", po::value(&options.worker)->default_value("", "occam-worker"),
                "program that speaks the worker's messages")(
      "deterministic", po::bool_switch(&options.deterministic),
      "a trial on a GPU gives the same bits whatever runs beside it, as on a CPU; small ones are "
      "about a fifth slower then")(
      "journal", po::value(&journal)->default_value("auto"),
      "wal, rollback, or auto: a write-ahead log where the database is on a local disk")(
      "force-gangs", po::bool_switch(&options.force_gangs),
      "train on several GPUs as the spec says, even where one is predicted to be quicker")(
      "quiet,q", po::bool_switch(&options.quiet), "no progress");
  const Arguments arguments(words, described, 1, 1, score_only ? kEvaluateUsage : kRunUsage);
  if (arguments.helped()) return std::nullopt;
  options.spec = arguments.positional().front();
  if (arguments.has("workers") && options.workers < 1)
    throw UsageError("--workers must be at least 1");
  if (options.limit < 1) throw UsageError("--limit must be at least 1");
  if (arguments.has("slots") && options.slots < 1) throw UsageError("--slots must be at least 1");
  if (options.parts < 1) throw UsageError("--parts must be at least 1");
  if (options.threads < 1) throw UsageError("--threads must be at least 1");
  if (options.max_attempts < 1) throw UsageError("--max-attempts must be at least 1");
  check_seconds("--checkpoint-every", options.checkpoint_every);
  check_seconds("--silence", options.silence);
  check_seconds("--stall", options.stall);
  if (arguments.has("walltime")) check_seconds("--walltime", options.walltime);
  if (options.device != "auto" && options.device != "cpu" && options.device != "cuda")
    throw UsageError("--device '" + options.device + "' is none of: auto, cpu, cuda");
  options.order = named<Order>("--order", order);
  options.keep = parse_keeping(keep);
  options.shard = parse_shard(shard);
  options.journal = named<Journal>("--journal", journal);
  return options;
}

}  // namespace occam
