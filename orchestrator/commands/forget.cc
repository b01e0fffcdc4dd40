#include <algorithm>
#include <filesystem>

#include "experiments/error.h"
#include "orchestrator/commands/choice.h"
#include "orchestrator/commands/command.h"
#include "results/sql_text.h"

namespace occam {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* kForgetUsage = R"(occam forget DB --where FIELD=VALUE [OPTIONS]

Retires the outcomes of finished trials, so that the next `occam run` trains them again: for
results of a build with a mistake in it. They stay in the file, hidden from tables and views. What
DB.kept holds of them (features, weights, scores of images) is deleted, and with --build its
checkpoints, so that nothing goes on from either; copy first what you want to look at again.

Examples:
  occam forget occam.db --where loss=rotation --dry-run
  occam forget occam.db --build 4f1c22a09b77          all results of one build
  occam forget occam.db --build 4f1c22a09b77 --work /scratch/occam.db.work
)";

void check_build(const Store& store, const std::string& build) {
  const std::vector<std::string> known =
      store.column("SELECT DISTINCT build FROM attempt ORDER BY build");
  if (std::find(known.begin(), known.end(), build) == known.end())
    throw UsageError("--build " + build + ": no attempt is of that; there are: " + joined(known) +
                     did_you_mean(build, known));
}

// The trials with an outcome of that build.
std::string of_build(const std::string& build) {
  return "SELECT o.trial FROM outcome o JOIN attempt a ON a.trial = o.trial AND a.number = "
         "o.attempt WHERE o.retired_at IS NULL AND a.build = " +
         sql_text(build);
}

// What would bring a retired result back.
void remove_what_is_left(const Store& store, const std::vector<std::string>& chosen,
                         const std::string& build, const fs::path& work) {
  for (const std::string& trial : store.without_outcome(chosen))
    fs::remove_all(fs::path(store.path() + ".kept") / trial);
  if (build.empty()) return;
  for (const auto& row :
       store.texts("SELECT trial, lease FROM attempt WHERE build = " + sql_text(build)))
    fs::remove(work / row[0].value_or("") / (row[1].value_or("") + ".ckpt"));
}

int run_forget(const std::vector<std::string>& words) {
  std::vector<std::string> where;
  std::string build, work;
  bool dry_run = false;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(), kTrialsHelp)(
      "build", po::value(&build),
      "results of this build alone; without --where also of trials that no spec has any "
      "more")("work", po::value(&work)->default_value("", "DB.work"), "folder of the checkpoints")(
      "dry-run", po::bool_switch(&dry_run), "say which, change nothing");
  const Arguments arguments(words, described, 1, 1, kForgetUsage);
  if (arguments.helped()) return 0;
  if (where.empty() && build.empty())
    throw UsageError("say which results: --where FIELD=VALUE, --build BUILD, or both");
  const std::string& database = arguments.positional().front();
  std::vector<std::string> chosen;
  {
    const Store store(database, Store::Mode::read);
    if (!build.empty()) check_build(store, build);
    const std::string finished = "state IN ('completed', 'diverged')";
    if (build.empty())
      chosen = trials_where(store, where, finished);
    else if (!where.empty())
      chosen = trials_where(store, where, finished + " AND trial IN (" + of_build(build) + ")");
    else  // also of trials that the spec has left out: they would count again with it
      chosen = store.column(
          of_build(build) + " UNION SELECT trial FROM attempt WHERE build = " + sql_text(build) +
          " AND trial NOT IN (SELECT trial FROM outcome WHERE retired_at IS NULL)");
  }
  return change_chosen(
      database, chosen, dry_run,
      {[&](Store& store) {
         const std::size_t retired = store.forget(chosen, build);
         remove_what_is_left(store, chosen, build, work.empty() ? store.path() + ".work" : work);
         return retired;
       },
       [](const Store&, std::size_t changed) {
         return changed_text(changed, "outcomes retired, and what was kept of them deleted",
                             "occam run trains these trials again");
       }});
}

}  // namespace

const Subcommand kForgetCommand{"forget", "retire results, so that their trials run again",
                                run_forget};

}  // namespace occam
