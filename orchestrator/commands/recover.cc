#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "experiments/error.h"
#include "images/load.h"
#include "orchestrator/commands/command.h"
#include "results/open_database.h"
#include "results/store.h"

namespace occam {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* kRecoverUsage = R"(occam recover DAMAGED OUT.db [OPTIONS]

Saves what can still be read of a damaged database into a new one: every row of every page that
is whole, wherever it lies. The damaged file is only read. Says what of each table came back and
what did not; what lacks of a sweep's plan is made again from its spec, and trials whose results
are lost are run again by the next `occam run`. Ends with 3 where something was lost.

A copy from before the damage is better where there is one: a number that was changed without
making its page unreadable cannot be told from a right one.

Examples:
  occam recover occam.db recovered.db
  occam run spec.json --db recovered.db            runs what was lost
)";

std::string counted(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void print(const RecoveredTable& table) {
  std::string text = fmt::format("  {:<12} {}", table.name, counted(table.rows, "row"));
  if (table.unreadable_pages > 0)
    text += ", " + counted(table.unreadable_pages, "page") + " unreadable";
  if (table.unreadable_rows > 0)
    text += ", " + counted(table.unreadable_rows, "row") + " unreadable";
  if (table.begins_unknown) text += ", perhaps more that could not be found";
  if (table.made_again > 0) text += fmt::format(", {} made again", table.made_again);
  if (table.left_out > 0)
    text += fmt::format(", {} left out, since what they belong to is lost", table.left_out);
  fmt::print("{}\n", text);
}

void print(const RecoveredSweep& sweep, const std::string& out) {
  fmt::print("{}: {} of {} trials have all their scores", sweep.name, sweep.with_all_scores,
             sweep.trials);
  if (sweep.spec_lost)
    fmt::print("; its spec cannot be read: occam run SPEC --db {} records it again",
               shell_word(out));
  else if (sweep.with_all_scores < sweep.trials)
    fmt::print("; occam run SPEC --db {} runs what lacks", shell_word(out));
  fmt::print("\n");
}

void print(const Recovered& recovered, const std::string& damaged, const std::string& out) {
  fmt::print("{}, from {}:\n", out, damaged);
  for (const RecoveredTable& table : recovered.tables) print(table);
  if (recovered.unread_beside)
    fmt::print(
        "not all that its last writer left beside it, in a log or a spool, could be taken in; it "
        "stays there\n");
  if (recovered.taken_in > 0)
    fmt::print("{} taken in that had waited beside it\n", counted(recovered.taken_in, "outcome"));
  if (recovered.lost_results > 0)
    fmt::print("the results of {} are lost: trained again\n",
               counted(recovered.lost_results, "trial"));
  if (recovered.unknown_builds > 0)
    fmt::print(
        "{} came back without what says which code made them: build '{}'; occam forget {} --build "
        "{} has them trained again, occam table --pool mixes them with the others\n",
        counted(recovered.unknown_builds, "result"), kUnknownBuild, shell_word(out), kUnknownBuild);
  for (const RecoveredSweep& sweep : recovered.sweeps) print(sweep, out);
  for (const char* beside : {".work", ".kept"})
    if (fs::exists(damaged + beside) && !fs::exists(out + beside))
      fmt::print("its {}: mv {} {}\n",
                 beside == std::string(".work") ? "checkpoints" : "kept features",
                 shell_word(damaged + beside), shell_word(out + beside));
}

int run_recover(const std::vector<std::string>& words) {
  std::string data;
  po::options_description described("Options");
  described.add_options()("data", po::value(&data)->default_value("", kDataFolders),
                          "folder of the data sets, read for celeba and your own images alone");
  const Arguments arguments(words, described, 2, 2, kRecoverUsage);
  if (arguments.helped()) return 0;
  const std::string &damaged = arguments.positional()[0], &out = arguments.positional()[1];
  const UsageError exists(out + ": exists; name a new file for what can be read of " + damaged);
  if (fs::exists(out)) throw exists;
  check_recoverable(damaged);
  Store store(out, Store::Mode::write);
  if (!store.is_new()) throw exists;  // since just now
  try {
    const Recovered recovered = store.recover(damaged, source_finder(data));
    store.close();
    print(recovered, damaged, out);
    return recovered.whole() ? 0 : 3;
  } catch (...) {
    store.discard_new();
    throw;
  }
}

}  // namespace

const Subcommand kRecoverCommand{"recover", "what can be read of a damaged database, in a new one",
                                 run_recover};

}  // namespace occam
