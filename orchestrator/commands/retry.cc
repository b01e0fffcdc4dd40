#include <algorithm>

#include "experiments/error.h"
#include "orchestrator/commands/choice.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kRetryUsage = R"(occam retry [DB] [TRIAL...] [OPTIONS]

Gives trials that failed, diverged or were cancelled all their attempts again: the sweep that is
running on the database runs them, or else the next `occam run`. A failed one goes on from its
last checkpoint. One that diverged diverges again on the same machine with the same build, so
choose those that something has changed for.

Examples:
  occam retry occam.db                          all of them
  occam retry occam.db 3f2a91 --dry-run         the trial whose id begins so
  occam retry occam.db --where state=failed --where batch_size=2048
)";

// Failed, diverged or cancelled, or with an outcome that stayed when an attempt for more scores
// failed.
constexpr const char* kRetried =
    "state IN ('failed', 'diverged', 'cancelled') OR EXISTS (SELECT 1 FROM outcome o JOIN attempt "
    "f ON f.trial = o.trial AND f.number > o.attempt WHERE o.trial = trials.trial AND o.retired_at "
    "IS NULL AND f.state = 'failed' AND f.forgiven_at IS NULL)";

int run_retry(const std::vector<std::string>& words) {
  std::vector<std::string> where;
  bool dry_run = false;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(), kTrialsHelp)(
      "dry-run", po::bool_switch(&dry_run), "say which, change nothing");
  const Arguments arguments(words, described, 0, 10000, kRetryUsage);
  if (arguments.helped()) return 0;
  const auto& positional = arguments.positional();
  const std::string database = positional.empty() ? "occam.db" : positional.front();
  std::vector<std::string> chosen;
  {
    const Store store(database, Store::Mode::read);
    chosen = trials_where(store, where, kRetried);
    std::vector<std::string> named;
    for (std::size_t i = 1; i < positional.size(); ++i) {
      named.push_back(trial_of(store, positional[i]));
      if (std::find(chosen.begin(), chosen.end(), named.back()) == chosen.end())
        throw UsageError("trial " + named.back() + " has neither failed nor diverged, nor was it " +
                         "cancelled; occam explain " + shell_word(database) + " " + named.back() +
                         " says how it stands");
    }
    if (!named.empty()) chosen = named;
  }
  return change_chosen(database, chosen, dry_run,
                       {[&](Store& store) { return store.retry(chosen); },
                        [](const Store&, std::size_t changed) {
                          return changed_text(changed, "trials have all their attempts again",
                                              "occam run runs them");
                        },
                        "retry"});
}

}  // namespace

const Subcommand kRetryCommand{"retry", "failed, diverged and cancelled trials again", run_retry};

}  // namespace occam
