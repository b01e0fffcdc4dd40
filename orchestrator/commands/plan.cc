#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "experiments/spec.h"
#include "images/load.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/gang_plan.h"
#include "orchestrator/grown_spec.h"
#include "orchestrator/keeping.h"
#include "orchestrator/node.h"
#include "orchestrator/plan.h"
#include "orchestrator/progress.h"
#include "orchestrator/sweep.h"
#include "results/open_database.h"
#include "results/planned_tables.h"
#include "results/store.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kPlanUsage = R"(occam plan SPEC [OPTIONS]

Says what `occam run` would do: trials done, to run and failed, and how long it would take, by a
simulation with the real scheduler. Durations come from trials that the database holds; without
any, from a guess that says so. Where nothing is to run, it ends as that run would: with 3 when
trials have failed or diverged.

Examples:
  occam plan spec.json --db occam.db
  occam plan spec.json --gpus 64 --json
  occam plan spec.json --only seed=1                   what the first seeds would take
  occam plan spec.json --gpus 1024 --mtbf 600          with a failure every ten minutes
)";

// Trials by the number of workers that train them.
using GangCounts = std::map<std::int32_t, std::size_t>;

nlohmann::ordered_json gangs_json(const GangCounts& counts) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [gpus, count] : counts) object[std::to_string(gpus)] = count;
  return object;
}

std::string gangs_text(const GangCounts& counts, const char* device) {
  std::string text;
  for (const auto& [gpus, count] : counts)
    if (gpus > 1)
      text += fmt::format("{}{} of them on {} {}s each", text.empty() ? "gangs: " : ", ", count,
                          gpus, device);
  return text.empty() ? "" : text + "\n";
}

std::string bytes_text(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.0f} MB", bytes / 1e6)
                     : fmt::format("{:.1f} GB", bytes / 1e9);
}

std::string disk_text(const DiskNeed& disk, const std::string& database) {
  std::error_code unknown;
  const std::filesystem::path folder = std::filesystem::absolute(database).parent_path();
  const auto space = std::filesystem::space(folder, unknown);
  std::string text = fmt::format(
      "disk: {} at most, {} of them kept features (occam run --keep none leaves none) and the rest "
      "checkpoints",
      bytes_text(disk.features + disk.checkpoints), bytes_text(disk.features));
  if (!unknown) {
    const auto free = static_cast<double>(space.available);
    text +=
        fmt::format("; {} {} free in {}", free < disk.features + disk.checkpoints ? "only" : "with",
                    bytes_text(free), folder.string());
  }
  return text + "\n";
}

// Where occam run would refuse the work, a plan still says how much there is.
void warn_of_cpus(const std::vector<Start>& starts) try {
  for (const Start& start : starts) check_on_cpu(start.config);
} catch (const UsageError& problem) {
  std::cerr << "warning: " << problem.what() << "\n  plan for GPUs with --gpus N\n";
}

int run_plan(const std::vector<std::string>& words) {
  std::string database, data;
  std::vector<std::string> only;
  int workers = 0, gpus = 0, slots = 0;
  bool as_json = false, force_gangs = false;
  Failures failures;
  Wanted wanted;
  po::options_description described("Options");
  described.add_options()("db", po::value(&database)->default_value("occam.db"), "database")(
      "data", po::value(&data)->default_value("", kDataFolders),
      "folder of the data sets, read for celeba and your own images alone")(
      "only", po::value(&only)->composing(), "FIELD=VALUE[,VALUE]: such trials alone")(
      "workers", po::value(&workers)->default_value(0, "GPUs, else cores of this machine"),
      "CPU cores to plan for")("gpus", po::value(&gpus), "GPUs to plan for")(
      "slots", po::value(&slots)->default_value(0, "8 on a GPU, else 1"),
      "trials at once in a worker")(
      "mtbf", po::value(&failures.every),
      "seconds between failures of any worker, on average: simulated too")(
      "checkpoint-every", po::value(&failures.checkpoint_every)->default_value(300),
      "seconds; what a failure undoes at most")(
      "max-attempts", po::value(&wanted.max_attempts)->default_value(wanted.max_attempts),
      "as occam run is to get it")("force-gangs", po::bool_switch(&force_gangs),
                                   "also gangs that are slower than one GPU")(
      "json", po::bool_switch(&as_json), "as JSON");
  const Arguments arguments(words, described, 1, 1, kPlanUsage);
  if (arguments.helped()) return 0;
  if (arguments.has("workers") && workers < 1) throw UsageError("--workers must be at least 1");
  if (arguments.has("gpus") && gpus < 1) throw UsageError("--gpus must be at least 1");
  constexpr int kMostWorkers = 1'000'000;
  if (std::max(workers, gpus) > kMostWorkers)
    throw UsageError("a plan is of at most a million workers or GPUs");
  if (workers > 0 && gpus > 0) throw UsageError("give --workers or --gpus, not both");
  if (arguments.has("mtbf") && !(failures.every > 0)) throw UsageError("--mtbf must be above 0");
  if (!(failures.checkpoint_every > 0)) throw UsageError("--checkpoint-every must be above 0");
  if (wanted.max_attempts < 1) throw UsageError("--max-attempts must be at least 1");
  if (arguments.has("slots") && slots < 1) throw UsageError("--slots must be at least 1");
  if (workers == 0 && gpus == 0) gpus = visible_gpus();
  const bool on_gpus = gpus > 0;
  if (on_gpus) workers = gpus;
  if (workers == 0) workers = usable_cores();
  if (slots == 0) slots = usual_slots(on_gpus);

  check_named(database);
  const std::string& path = arguments.positional().front();
  Spec spec = read_spec(path);
  Expansion expansion = expand_with_images(spec, data);
  check_tables(spec, expansion);
  wanted.trial = asked_for(only, spec, expansion);
  for (const std::string& warning : expansion.warnings) std::cerr << "warning: " << warning << "\n";
  std::vector<TrialHistory> histories;
  SweepDrift drift;
  PaceScale measured;
  GangRates rates;
  if (std::filesystem::exists(database)) {
    const Store store(database, Store::Mode::read);
    if (const std::string grown = take_grown(store, path, data, spec, expansion); !grown.empty()) {
      wanted.trial = asked_for(only, spec, expansion);
      std::cerr << grown;
    }
    histories = store.histories(expansion, spec.name);
    drift = store.drift(spec, expansion);
    measured = measured_scale(store, on_gpus);
    rates = measured_gang_rates(store);
  } else {
    histories = no_histories(expansion);
  }
  const std::size_t all = expansion.trials.size();
  std::size_t trials = 0, done = 0, diverged = 0;
  for (std::size_t i = 0; i < histories.size(); ++i) {
    if (!wanted.trial(expansion.trials[i])) continue;
    ++trials;
    done += histories[i].outcome && histories[i].missing.empty();
    diverged += histories[i].outcome == OutcomeStatus::diverged;
  }
  MissingWork missing = missing_work(expansion, std::move(histories), "", wanted);
  expansion.trials = {};  // a fifth of the memory of a plan of a million trials
  plan_keeping(missing, std::filesystem::absolute(database + ".kept"), {.features = true});
  const std::string to_run = to_run_text(missing);
  const std::size_t failed = drop_failed(missing);
  const int code = missing.tasks.empty() && failed + diverged > 0 ? 3 : 0;
  check_gang_sizes(missing.tasks, workers);
  if (on_gpus)
    for (const Start& start : missing.starts) check_on_gpu(start.config);
  else
    warn_of_cpus(missing.starts);
  if (on_gpus && !force_gangs) check_gang_speeds(missing.tasks, missing.starts, rates);
  form_gangs(missing.tasks, missing.starts, {on_gpus, workers, std::min(workers, kWorkersPerNode)},
             rates);
  GangCounts gang_counts;
  for (const Task& task : missing.tasks) ++gang_counts[task.gpus];
  const DiskNeed disk =
      disk_need(missing, static_cast<std::size_t>(workers) * static_cast<std::size_t>(slots));
  const std::vector<Pace> all_paces = paces(missing, on_gpus, measured);
  const std::size_t again = trained_again(missing);
  missing.starts = {};  // most of what is left
  const Simulation simulation = simulate(missing.tasks, all_paces, workers, slots, failures);
  const double efficiency = simulation.wall_seconds > 0
                                ? simulation.worker_seconds / (simulation.wall_seconds * workers)
                                : 1;
  const double first_seeds = simulation.worker_seconds > 0
                                 ? simulation.first_seeds_worker_seconds / simulation.worker_seconds
                                 : 0;
  if (as_json) {
    std::cout << nlohmann::ordered_json{{"name", spec.name},
                                        {"trials", trials},
                                        {"of", all},
                                        {"done", done},
                                        {"diverged", diverged},
                                        {"failed", failed},
                                        {"cancelled", missing.cancelled},
                                        {"kept", drift.known ? drift.kept : 0},
                                        {"new", drift.known ? drift.added : all},
                                        {"orphaned", drift.orphaned},
                                        {"to_run", missing.tasks.size()},
                                        {"duplicates", expansion.duplicates},
                                        {"excluded", expansion.excluded},
                                        {"trained_again", again},
                                        {"workers", workers},
                                        {"gpus", gpus},
                                        {"worker_hours", simulation.worker_seconds / 3600},
                                        {"wall_seconds", simulation.wall_seconds},
                                        {"efficiency", efficiency},
                                        {"gangs", gangs_json(gang_counts)},
                                        {"tail_seconds", simulation.tail_seconds},
                                        {"first_seeds_seconds", simulation.first_seeds_seconds},
                                        {"first_seeds_share", first_seeds},
                                        {"disk_bytes", disk.features + disk.checkpoints},
                                        {"failures", simulation.failures},
                                        {"lost_hours", simulation.lost_seconds / 3600},
                                        {"measured", measured.is_measured()}}
                     .dump()
              << "\n";
    return code;
  }
  fmt::print("{}: {}{} trials: {} done, {}", spec.name, trials,
             trials < all ? fmt::format(" of {}", all) : "", done, to_run);
  if (diverged > 0) fmt::print(", {} diverged", diverged);
  fmt::print(" ({} duplicates dropped, {} excluded)\n", expansion.duplicates, expansion.excluded);
  fmt::print("{}", drift_text(drift));
  if (failed > 0) fmt::print("{}\n", retry_text(database));
  if (missing.tasks.empty()) return code;
  const char* const device = on_gpus ? "GPU" : "CPU core";
  const double hours = simulation.worker_seconds / 3600;
  fmt::print("{} {} hours; about {} on {} {}{}, {:.0f} % busy\n",
             hours < 0.005 ? "less than 0.01" : fmt::format("{:.2f}", hours), device,
             duration_text(simulation.wall_seconds), workers, device, workers == 1 ? "" : "s",
             100 * efficiency);
  fmt::print("{}", gangs_text(gang_counts, device));
  if (first_seeds > 0 && first_seeds < 1)
    fmt::print("every cell has its first seed after {}, {:.0f} % of the work\n",
               duration_text(simulation.first_seeds_seconds), 100 * first_seeds);
  fmt::print("the last {} with a worker idle\n", duration_text(simulation.tail_seconds));
  fmt::print("{}", disk_text(disk, database));
  if (failures.every > 0)
    fmt::print("{} failures, one every {} on average, undo {:.2f} {} hours\n", simulation.failures,
               duration_text(failures.every), simulation.lost_seconds / 3600, device);
  fmt::print("{}\n", measured.is_measured()
                         ? "from the durations of trials in " + database
                         : fmt::format("a guess for {}: no trial has been timed in {} yet; "
                                       "run a pilot with occam run --limit 2{}",
                                       on_gpus ? "GPUs like the H200" : "CPU cores", database,
                                       on_gpus ? "" : ", or plan for GPUs with --gpus N"));
  return 0;
}

}  // namespace

const Subcommand kPlanCommand{"plan", "what would run, and what it would take", run_plan};

}  // namespace occam
