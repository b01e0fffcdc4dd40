#include <fmt/format.h>

#include "experiments/error.h"
#include "orchestrator/commands/choice.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/progress.h"
#include "results/sql_text.h"
#include "results/store_lock.h"

namespace occam {
namespace {

constexpr const char* kExplainUsage = R"(occam explain DB TRIAL

Why a trial is done, missing, failed or was run again: its fields, its attempts with their ends,
its scores, and what to do. The beginning of the id is enough.

Examples:
  occam explain occam.db 3f2a91
)";

using Texts = Store::Texts;

// What the state means and which command changes it.
std::string meaning(const std::string& state, const std::string& database, const std::string& trial,
                    bool running) {
  const std::string where = shell_word(database);
  if (state == "completed") return "done";
  if (state == "diverged")
    return "diverged: its loss left the real numbers, which is a result and is not tried again; "
           "after a change, occam retry " +
           where + " " + trial;
  if (state == "failed")
    return "failed; occam run tries it again while it has attempts left (--max-attempts), occam "
           "retry " +
           where + " " + trial + " gives it all of them again";
  if (state == "cancelled")
    return "cancelled; occam retry " + where + " " + trial + " takes it back";
  if (state == "running")
    return running ? "running"
                   : "was running when its coordinator died; occam run goes on from its checkpoint";
  return running ? "waiting for a worker" : "waiting; occam run runs it";
}

// Of a trial with an outcome, that it was to bring more scores and could not.
std::string lack(const Store& store, const std::string& database, const std::string& trial) {
  const auto failed = store.texts(
      "SELECT count(*) FROM outcome o JOIN attempt f ON f.trial = o.trial AND f.number > o.attempt "
      "WHERE o.retired_at IS NULL AND f.state = 'failed' AND f.forgiven_at IS NULL AND o.trial = " +
      sql_text(trial));
  const std::string count = failed.front().front().value_or("0");
  if (count == "0") return "";
  return "; since then " + count + " attempts for more scores have failed, and occam retry " +
         shell_word(database) + " " + trial + " gives it all of them again";
}

void print_attempts(const Store& store, const std::string& trial) {
  const auto attempts = store.texts(
      "SELECT number, lease, state, host, device, node, worker, started_at, "
      "(julianday(coalesce(ended_at, 'now')) - julianday(started_at)) * 86400, continued, "
      "forgiven_at IS NOT NULL, error, job, restart_count FROM attempt WHERE trial = " +
      sql_text(trial) + " ORDER BY number");
  for (const Texts& one : attempts) {
    const auto text = [&](std::size_t column) { return one[column].value_or(""); };
    fmt::print("  attempt {} (lease {}): {} after {} on {}, {}, node {} worker {}, begun {}",
               text(0), text(1), text(2), duration_text(std::stod(text(8))), text(3), text(4),
               text(5), text(6), text(7));
    if (one[9]) fmt::print(", from the checkpoint of lease {}", *one[9]);
    if (text(10) == "1") fmt::print(", taken back");
    if (!text(12).empty()) fmt::print(", Slurm job {}, requeued {} times", text(12), text(13));
    fmt::print("\n");
    for (const std::string& line : split_lines(text(11))) fmt::print("    {}\n", line);
  }
  if (attempts.empty()) fmt::print("  not tried yet\n");
}

void print_scores(const Store& store, const std::string& trial) {
  for (const Texts& one : store.texts(
           "SELECT features, classifier, parameters, auroc, o.retired_at IS NOT NULL, "
           "e.attempt, split FROM evaluation e JOIN outcome o USING (trial, attempt) WHERE trial "
           "= " +
           sql_text(trial) + " ORDER BY e.attempt, split, features, classifier, parameters"))
    fmt::print("  {} {} {}: AUROC {:.2f} % on {} (attempt {}{})\n", *one[0], *one[1], *one[2],
               100 * std::stod(*one[3]), *one[6], *one[5], one[4] == "1" ? ", retired" : "");
}

int run_explain(const std::vector<std::string>& words) {
  const Arguments arguments(words, boost::program_options::options_description("Options"), 2, 2,
                            kExplainUsage);
  if (arguments.helped()) return 0;
  const std::string& database = arguments.positional()[0];
  const Store store = open_results(database);
  const std::string trial = trial_of(store, arguments.positional()[1]);
  const std::string id = sql_text(trial);
  const auto config = store.texts("SELECT config FROM trial WHERE id = " + id);
  fmt::print("trial {}: {}\n", trial, identity(store.read_trial(*config.front().front())));
  for (const Texts& one : store.texts("SELECT sweep, position, orphaned_at FROM sweep_trial WHERE "
                                      "trial = " +
                                      id + " ORDER BY sweep"))
    fmt::print("  {} {} of sweep {}\n", one[2] ? "an orphan, once number" : "number",
               std::stoll(*one[1]) + 1, *one[0]);
  const auto state = store.texts("SELECT state FROM trials WHERE trial = " + id + " LIMIT 1");
  if (state.empty())
    fmt::print("state: no spec names it any more; its results stay (occam table --orphaned)\n");
  else
    fmt::print("state: {}{}\n",
               meaning(*state.front().front(), database, trial, is_written(database)),
               lack(store, database, trial));
  print_attempts(store, trial);
  print_scores(store, trial);
  return 0;
}

}  // namespace

const Subcommand kExplainCommand{"explain", "why a trial is done, missing, failed or rerun",
                                 run_explain};

}  // namespace occam
