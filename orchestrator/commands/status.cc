#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "orchestrator/commands/command.h"
#include "orchestrator/commands/job_lines.h"
#include "orchestrator/progress.h"
#include "results/open_database.h"
#include "results/spool.h"
#include "results/store.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kStatusUsage = R"(occam status [DB] [OPTIONS]

How far the sweeps of a database (occam.db) are, also while they run, and what Slurm says of the
jobs that occam submit made for it.

Examples:
  occam status
  occam status quickstart.db --json
)";

int run_status(const std::vector<std::string>& words) {
  bool as_json = false;
  po::options_description described("Options");
  described.add_options()("json", po::bool_switch(&as_json), "as JSON, one line a sweep");
  const Arguments arguments(words, described, 0, 1, kStatusUsage);
  if (arguments.helped()) return 0;
  const std::string database =
      arguments.positional().empty() ? "occam.db" : arguments.positional().front();
  check_named(database);
  const std::string jobs = as_json ? "" : job_lines(database);
  fmt::print("{}", jobs);
  if (!jobs.empty() && !std::filesystem::exists(database)) return 0;  // none has begun
  const Store store(database, Store::Mode::read);
  const std::size_t spooled = as_json ? outcomes_in(Spool(database).waiting()) : 0;
  for (const SweepStatus& sweep : store.status()) {
    if (as_json) {
      std::cout << nlohmann::ordered_json{{"name", sweep.name},
                                          {"trials", sweep.trials},
                                          {"completed", sweep.completed},
                                          {"diverged", sweep.diverged},
                                          {"collapsed", sweep.collapsed},
                                          {"failed", sweep.failed},
                                          {"cancelled", sweep.cancelled},
                                          {"again", sweep.again},
                                          {"running", sweep.running},
                                          {"interrupted", sweep.interrupted},
                                          {"train_seconds", sweep.train_seconds},
                                          {"evaluate_seconds", sweep.evaluate_seconds},
                                          {"wasted_seconds", sweep.wasted_seconds},
                                          {"started_at", sweep.started_at},
                                          {"last_outcome_at", sweep.last_outcome_at},
                                          {"spooled", spooled}}
                       .dump()
                << "\n";
      continue;
    }
    fmt::print("{}: {}/{} trials done, {} running, {} diverged, {} collapsed, {} failed\n",
               sweep.name, sweep.completed, sweep.trials, sweep.running, sweep.diverged,
               sweep.collapsed, sweep.failed);
    if (sweep.again > 0)
      fmt::print("  {} of them were started again for more scores and have not brought them yet\n",
                 sweep.again);
    if (sweep.cancelled > 0) fmt::print("  {} cancelled\n", sweep.cancelled);
    if (sweep.interrupted > 0)
      fmt::print("  not running: its coordinator died with {} trials; the same occam run goes on\n",
                 sweep.interrupted);
    fmt::print("  worker time: {} training, {} evaluating, {} lost in attempts that ended early\n",
               duration_text(sweep.train_seconds), duration_text(sweep.evaluate_seconds),
               duration_text(sweep.wasted_seconds));
    if (!sweep.started_at.empty())
      fmt::print("  started {}, last outcome {}\n", sweep.started_at,
                 sweep.last_outcome_at.empty() ? "none yet" : sweep.last_outcome_at);
  }
  if (!as_json) fmt::print("{}", waiting_text(database));
  return 0;
}

}  // namespace

const Subcommand kStatusCommand{"status", "how far the sweeps of a database are", run_status};

}  // namespace occam
