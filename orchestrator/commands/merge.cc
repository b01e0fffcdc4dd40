#include <fmt/format.h>

#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/keeping.h"
#include "results/store.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kMergeUsage = R"(occam merge OUT.db SHARD.db… [OPTIONS]

Takes databases of the same or of different sweeps into one: into a new file, or into one that is
there. All of it or nothing. A trial that several have with equal results counts once. Of a sweep
whose spec has grown the later plan counts. Where results differ, or two sweeps of one name plan
different trials, nothing is merged unless --keep says which stay; the other results are kept in the
file, retired. What has been forgotten in OUT.db does not come back from files merged before. Hosts,
times, builds and failed attempts stay as they were. Features, weights and scores that lie beside a
shard, in SHARD.db.kept, are linked into OUT.db.kept. The shards are only read.

Examples:
  occam run spec.json --only seed=1 --db a.db      # on one machine
  occam run spec.json --only seed=2 --db b.db      # on another
  occam merge occam.db a.db b.db
  occam merge occam.db a.db b.db --keep latest
)";

std::string counted(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void print(const MergedShard& shard) {
  fmt::print("{}: {} of {}", shard.path, counted(shard.outcomes, "result"),
             counted(shard.attempts, "attempt"));
  if (shard.sweeps > 0) fmt::print(", {}", counted(shard.sweeps, "sweep"));
  if (shard.equal > 0)
    fmt::print(", {} there before with equal results, counted once",
               counted(shard.equal, "result"));
  fmt::print("\n");
  for (const std::string& line : shard.differences) fmt::print("  {}\n", line);
}

int run_merge(const std::vector<std::string>& words) {
  std::string keep;
  po::options_description described("Options");
  described.add_options()("keep", po::value(&keep)->default_value("refuse"),
                          "where files differ: first, latest, or refuse to merge");
  const Arguments arguments(words, described, 2, 1'000'000, kMergeUsage);
  if (arguments.helped()) return 0;
  const auto rule = named<MergeRule>("--keep", keep);
  const std::string out = arguments.positional().front();
  const std::vector<std::string> shards(arguments.positional().begin() + 1,
                                        arguments.positional().end());
  Store store(out, Store::Mode::write);
  try {
    std::cerr << store.opening_text();
    const auto merged = store.merge(shards, rule);
    for (const MergedShard& shard : merged) print(shard);
    for (const SweepStatus& sweep : store.status())
      fmt::print("{}: {} of {} trials of sweep {} done\n", out, sweep.completed, sweep.trials,
                 sweep.name);
  } catch (...) {
    // A refusal leaves no empty database behind.
    store.discard_new();
    throw;
  }
  std::size_t kept = 0;
  for (const std::string& shard : shards) kept += take_kept(store, shard + ".kept", out + ".kept");
  if (kept > 0) fmt::print("what is kept of {} now lies in {}.kept\n", counted(kept, "trial"), out);
  store.close();
  return 0;
}

}  // namespace

const Subcommand kMergeCommand{"merge", "databases of several machines into one", run_merge};

}  // namespace occam
