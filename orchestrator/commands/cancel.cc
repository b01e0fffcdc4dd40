#include <fmt/format.h>

#include "experiments/error.h"
#include "orchestrator/commands/choice.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/commands/job_lines.h"
#include "orchestrator/requests.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kCancelUsage = R"(occam cancel DB [TRIAL...] [OPTIONS]

Takes trials without an outcome out of their sweeps, also while these run: a running one is
stopped with a checkpoint. Tables show their cells as missing. `occam retry` takes it back.

Examples:
  occam cancel occam.db 3f2a91 77b0c4
  occam cancel occam.db --where batch_size=4096 --dry-run
  occam cancel occam.db --job                      the Slurm jobs of occam submit; the trials stay
)";

int run_cancel(const std::vector<std::string>& words) {
  std::vector<std::string> where;
  bool job = false, dry_run = false;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(), kTrialsHelp)(
      "dry-run", po::bool_switch(&dry_run), "say which, change nothing")(
      "job", po::bool_switch(&job), "instead of trials, the Slurm jobs that work on the database");
  const Arguments arguments(words, described, 1, 10000, kCancelUsage);
  if (arguments.helped()) return 0;
  const auto& positional = arguments.positional();
  const std::string& database = positional.front();
  if (job) {
    if (positional.size() > 1 || !where.empty() || dry_run)
      throw UsageError(
          "--job ends the jobs and leaves the trials: name no trials with it, nor --dry-run");
    fmt::print("{}\n", cancel_submitted(database));
    return 0;
  }
  if (positional.size() == 1 && where.empty())
    throw UsageError(
        "say which trials: their ids, or --where FIELD=VALUE; --job ends Slurm's jobs");
  std::vector<std::string> chosen;
  {
    const Store store(database, Store::Mode::read);
    if (!where.empty()) chosen = trials_where(store, where, "true");
    for (std::size_t i = 1; i < positional.size(); ++i)
      chosen.push_back(trial_of(store, positional[i]));
  }
  return change_chosen(database, chosen, dry_run,
                       {[&](Store& store) { return store.cancel(chosen); },
                        [&](const Store& store, std::size_t changed) {
                          return cancelled_text(store, chosen, changed);
                        },
                        "cancel"});
}

}  // namespace

const Subcommand kCancelCommand{"cancel", "take trials out of a sweep, also while it runs",
                                run_cancel};

}  // namespace occam
