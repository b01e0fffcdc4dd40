#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "experiments/spec.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/node.h"
#include "orchestrator/plan.h"
#include "orchestrator/progress.h"
#include "orchestrator/sweep.h"
#include "results/store.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage = R"(occam plan SPEC [OPTIONS]

Says what `occam run` would do: trials done, to run and failed, and how long it would take, by a
simulation with the real scheduler. Durations come from trials that the database holds; without any, from
a guess that says so.

Examples:
  occam plan spec.json --db occam.db
  occam plan spec.json --workers 64 --json
)";

// A guess for one CPU core, until a trial has been timed: multiply-accumulates a second.
constexpr double kGuessedRate = 1.0e10;

// Seconds a unit of work over the finished trials, or nothing.
std::optional<double> measured_seconds_per_work(const Store& store) {
  const auto rows = store.query(
      "SELECT t.config, o.train_seconds FROM outcome o JOIN trial t ON t.id = o.trial WHERE "
      "o.retired_at IS NULL AND o.status = 'completed' AND o.steps > 0 ORDER BY o.recorded_at DESC "
      "LIMIT "
      "200");
  double work = 0, seconds = 0;
  for (const auto& row : rows.values) {
    work += training_macs(trial_from_json(nlohmann::json::parse(row[0].get<std::string>())));
    seconds += row[1].get<double>();
  }
  if (work <= 0 || seconds <= 0) return std::nullopt;
  return seconds / work;
}

int run(const std::vector<std::string>& words) {
  std::string database;
  int workers = 0, slots = 1;
  bool as_json = false;
  po::options_description described("Options");
  described.add_options()("db", po::value(&database)->default_value("occam.db"), "database")(
      "workers,gpus", po::value(&workers)->default_value(0, "cores of this machine"),
      "workers to plan for: GPUs, or CPU cores")("slots", po::value(&slots)->default_value(1),
                                                 "trials at once in a worker")(
      "json", po::bool_switch(&as_json), "as JSON");
  const Arguments arguments(words, described, 1, 1, kUsage);
  if (arguments.helped()) return 0;
  if (arguments.has("workers") && workers < 1) throw UsageError("--workers must be at least 1");
  if (workers == 0) workers = usable_cores();

  const Spec spec = read_spec(arguments.positional().front());
  const Expansion expansion = expand(spec);
  for (const std::string& warning : expansion.warnings) std::cerr << "warning: " << warning << "\n";
  std::vector<TrialHistory> histories;
  std::optional<double> measured;
  if (std::filesystem::exists(database)) {
    const Store store(database, Store::Mode::read);
    histories = store.histories(expansion);
    measured = measured_seconds_per_work(store);
  } else {
    histories = no_histories(expansion);
  }
  std::size_t done = 0, diverged = 0;
  for (const TrialHistory& history : histories) {
    done += history.outcome && history.missing.empty();
    diverged += history.outcome == OutcomeStatus::diverged;
  }
  const MissingWork missing = missing_work(
      expansion, histories, "", [](const Trial&) { return true; }, static_cast<std::size_t>(-1));
  const Simulation simulation =
      simulate(missing.tasks, workers, slots, measured.value_or(1 / kGuessedRate));
  const double efficiency = simulation.wall_seconds > 0
                                ? simulation.worker_seconds / (simulation.wall_seconds * workers)
                                : 1;
  if (as_json) {
    std::cout << nlohmann::ordered_json{{"name", spec.name},
                                        {"trials", expansion.trials.size()},
                                        {"done", done},
                                        {"diverged", diverged},
                                        {"to_run", missing.tasks.size()},
                                        {"duplicates", expansion.duplicates},
                                        {"excluded", expansion.excluded},
                                        {"workers", workers},
                                        {"worker_hours", simulation.worker_seconds / 3600},
                                        {"wall_seconds", simulation.wall_seconds},
                                        {"efficiency", efficiency},
                                        {"measured", measured.has_value()}}
                     .dump()
              << "\n";
    return 0;
  }
  fmt::print("{}: {} trials: {} done, {} to run", spec.name, expansion.trials.size(), done,
             missing.tasks.size());
  if (diverged > 0) fmt::print(", {} diverged", diverged);
  fmt::print(" ({} duplicates dropped, {} excluded)\n", expansion.duplicates, expansion.excluded);
  if (missing.tasks.empty()) return 0;
  fmt::print("{:.2f} worker hours; about {} on {} workers, {:.0f} % busy\n",
             simulation.worker_seconds / 3600, duration_text(simulation.wall_seconds), workers,
             100 * efficiency);
  fmt::print("{}\n", measured ? "from the durations of trials in " + database
                              : "a guess: no trial has been timed in " + database +
                                    " yet; run a pilot with occam run --limit 2");
  return 0;
}

}  // namespace

const Subcommand kPlanCommand{"plan", "what would run, and what it would take", run};

}  // namespace occam
