#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "experiments/error.h"
#include "experiments/number.h"
#include "experiments/spec.h"
#include "images/load.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/commands/submit_options.h"
#include "orchestrator/gang_plan.h"
#include "orchestrator/missing_work.h"
#include "orchestrator/plan.h"
#include "orchestrator/progress.h"
#include "orchestrator/shard.h"
#include "results/open_database.h"
#include "results/planned_tables.h"
#include "results/store.h"
#include "results/store_lock.h"
#include "slurm/batch_script.h"
#include "slurm/client.h"
#include "slurm/site.h"
#include "slurm/submitted.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// Which trials the job's `occam run` is for.
Wanted wanted_of(const SubmitOptions& options, const Spec& spec, const Expansion& expansion) {
  Wanted wanted{.trial = asked_for(options.only, spec, expansion)};
  const std::vector<std::string>& words = options.job.run_options;
  const auto named = std::find(words.begin(), words.end(), "--max-attempts");
  if (named != words.end()) read_number(*std::next(named), wanted.max_attempts);
  return wanted;
}

// What the database lacks of the sweep.
struct Missing {
  MissingWork work;
  std::size_t failed = 0;  // more, that have used up their attempts
  PaceScale scale = {};    // measured, as are these
  GangRates gang_rates = {};
};

Missing missing_in(const std::string& database, const Spec& spec, const Expansion& expansion,
                   const Wanted& wanted, bool on_gpus) {
  std::error_code hidden;
  if (!fs::exists(database, hidden))
    return {missing_work(expansion, no_histories(expansion), "", wanted)};
  const Store store(database, Store::Mode::read);
  Missing missing{missing_work(expansion, store.histories(expansion, spec.name), "", wanted)};
  missing.failed = drop_failed(missing.work);
  missing.scale = measured_scale(store, on_gpus);
  missing.gang_rates = measured_gang_rates(store);
  return missing;
}

// Workers that train at a time.
int workers_of(const SubmitOptions& options) {
  const BatchJob& job = options.job;
  return options.workers * (job.at_once > 0 ? job.at_once : std::max(job.nodes, job.shards));
}

// Parts or one job, and what could never start there.
void settle(SubmitOptions& options, const Missing& missing) {
  const std::vector<Task>& tasks = missing.work.tasks;
  std::int64_t largest = 1;
  for (const Task& task : tasks) largest = std::max<std::int64_t>(largest, task.gpus);
  divide(options, largest);
  check_gang_sizes(tasks, workers_of(options));
  if (options.gpus > 0 && !options.force_gangs)
    check_gang_speeds(tasks, missing.work.starts, missing.gang_rates);
}

void warn_of_time(const SubmitOptions& options, const Missing& missing) {
  const BatchJob& job = options.job;
  const bool on_gpus = options.gpus > 0;
  const int workers = workers_of(options);
  std::vector<Task> tasks = missing.work.tasks;
  form_gangs(tasks, missing.work.starts, {on_gpus, workers, options.workers}, missing.gang_rates);
  const double wall =
      simulate(tasks, paces(missing.work, on_gpus, missing.scale), workers, usual_slots(on_gpus))
          .wall_seconds;
  const auto limit = static_cast<double>(options.seconds);
  std::cerr << fmt::format(
      "{} trials to run, about {} on {} {}{}{}\n", tasks.size(), duration_text(wall), workers,
      on_gpus ? "GPU" : "core", workers == 1 ? "" : "s",
      missing.scale.is_measured() ? "" : " (a guess: none has been timed yet)");
  if (wall <= limit * options.chain) return;
  const double turns = std::ceil(wall / limit);
  std::cerr << fmt::format("warning: that does not fit into {}{}; ",
                           options.chain > 1 ? fmt::format("{} jobs of ", options.chain) : "",
                           job.time)
            << (job.requeue
                    ? fmt::format("the job is requeued until all is done, some {} times\n",
                                  turns - 1)
                    : fmt::format("submit again when it has ended, or give --chain {}\n", turns));
}

// MPI's launcher on this cluster, where the job needs one.
Launcher choose_launcher(const SubmitOptions& options, const Site& site) {
  if (options.job.nodes == 1) return Launcher::srun_pmix;
  if (site.launcher == "mpirun") return Launcher::mpirun;
  if (site.launcher == "srun" || (options.dry_run && !has_program("srun")))
    return Launcher::srun_pmix;
  const std::vector<std::string> kinds = mpi_kinds();
  if (std::find(kinds.begin(), kinds.end(), "pmix") != kinds.end()) return Launcher::srun_pmix;
  if (has_program("mpirun")) return Launcher::mpirun;
  throw Error("this cluster's srun has no pmix (srun --mpi=list: " + joined(kinds) +
              ") and there is no mpirun on the PATH; load an MPI module, or leave out --shards 0: "
              "parts on one node each need no MPI");
}

// 3 of 12_3.
int index_of(const std::string& id) {
  int index = 0;
  const std::size_t dash = id.find('_');
  if (dash != std::string::npos) read_number(std::string_view(id).substr(dash + 1), index);
  return index;
}

std::string described(const QueuedJob& job) { return "job " + job.id + " (" + job.state + ")"; }

[[noreturn]] void refuse(const std::string& database, const std::vector<QueuedJob>& queued) {
  std::vector<std::string> jobs;
  for (const QueuedJob& job : queued) jobs.push_back(described(job));
  throw Error(database + ": is being worked on by " + joined(jobs) + "; occam status " + database +
              " shows how far, occam cancel " + database +
              " --job ends it, and another --db lets two sweeps run at once");
}

// The parts that have trials left and are in no queue.
std::vector<int> shards_to_submit(const BatchJob& job, const Spec& spec, const Expansion& expansion,
                                  const Missing& missing, const std::set<int>& queued,
                                  std::int64_t max_attempts) {
  std::set<std::string> lacking;
  for (const Start& start : missing.work.starts) lacking.insert(start.trial);
  std::vector<int> shards;
  for (int number = 1; number <= job.shards; ++number) {
    const auto own = trials_of({number, job.shards}, expansion);
    const auto mine = [&](const PlannedTrial& planned) {
      const std::string id = planned.id();
      return own.count(id) > 0 && lacking.count(id) > 0;
    };
    const std::string file = shard_database(job.database, number, job.shards);
    if (!queued.count(number) &&
        !missing_in(file, spec, expansion, {.trial = mine, .max_attempts = max_attempts},
                    /*on_gpus=*/false)
             .work.tasks.empty())
      shards.push_back(number);
  }
  return shards;
}

std::string write_script(const std::string& database, const std::string& name,
                         const std::string& script) {
  const fs::path folder = slurm_folder(database);
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem)
    throw Error(
        folder.string() + ": cannot be created (" + problem.message() +
        "), and scripts and results would lie there; name with --db a file in a folder of " +
        "yours. Nothing was submitted");
  const fs::path file = folder / name;
  write_output(file, script);
  return file;
}

// Submits all of it or nothing.
std::vector<SubmittedJob> submit_all(const SubmitOptions& options, bool any_shard,
                                     const std::vector<std::string>& earlier_shards) {
  const BatchJob& job = options.job;
  std::vector<SubmittedJob> made;
  const auto submit = [&](const std::string& script, const std::vector<std::string>& after,
                          const std::string& part) {
    std::vector<std::string> words;
    if (!after.empty()) words.push_back("--dependency=afterany:" + joined(after, ":"));
    words.push_back(script);
    made.push_back({submit_script(words), part, part == "merge" ? 0 : job.shards});
  };
  try {
    if (job.shards == 0 || any_shard) {
      const std::string script = write_script(job.database, "job.sh", batch_script(job));
      for (int turn = 0; turn < options.chain; ++turn)
        submit(script, made.empty() ? std::vector<std::string>{} : std::vector{made.back().id},
               job.shards > 0 ? "shards" : "sweep");
    }
    if (job.shards > 0) {
      std::vector<std::string> after = earlier_shards;
      if (!made.empty()) after.push_back(made.back().id);
      submit(write_script(job.database, "merge.sh", merge_script(job)), after, "merge");
    }
  } catch (const Error& problem) {
    std::vector<std::string> ids;
    for (const SubmittedJob& one : made) ids.push_back(one.id);
    std::error_code ignored;
    if (!fs::exists(slurm_folder(job.database) + "/jobs.json"))
      fs::remove_all(slurm_folder(job.database), ignored);
    try {
      cancel_jobs(ids);
    } catch (const Error& left) {
      throw Error(problem.what() + std::string("\n") + left.what());
    }
    throw;
  }
  return made;
}

void print(const SubmitOptions& options, const std::vector<SubmittedJob>& made) {
  const BatchJob& job = options.job;
  if (options.parsable) {
    for (const SubmittedJob& one : made) fmt::print("{}\n", one.id);
    return;
  }
  for (const SubmittedJob& one : made) {
    if (one.part == "merge")
      fmt::print("job {} merges the parts into {}\n", one.id, job.database);
    else if (one.part == "shards")
      fmt::print("job {}: {} of {} parts, one node each; logs in {}.slurm-{}_*.log\n", one.id,
                 job.only.empty() ? static_cast<std::size_t>(job.shards) : job.only.size(),
                 job.shards, job.database, one.id);
    else
      fmt::print("job {}; its log is {}.slurm-{}.log\n", one.id, job.database, one.id);
  }
  fmt::print("occam status {} shows how far it is\n", shell_word(job.database));
}

int run_submit(const std::vector<std::string>& words) {
  std::optional<SubmitOptions> read = read_submit_options(words);
  if (!read) return 0;
  SubmitOptions& options = *read;
  BatchJob& job = options.job;
  check_named(job.database);
  const Spec spec = read_spec(job.spec);
  const Expansion expansion = expand_with_images(spec, options.data);
  for (const std::string& warning : expansion.warnings) std::cerr << "warning: " << warning << "\n";
  check_tables(spec, expansion);
  const Site site = read_site();
  job.sweep = spec.name;
  job.setup = site.setup;
  job.sbatch.insert(job.sbatch.begin(), site.sbatch.begin(), site.sbatch.end());
  if (!options.dry_run && !has_program("sbatch"))
    throw Error(
        "sbatch: not found on the PATH, so nothing was submitted; this needs a machine of "
        "a Slurm cluster, such as its login node. --dry-run prints the script; without "
        "Slurm, occam run " +
        shell_word(job.spec) + " runs here");
  const Wanted wanted = wanted_of(options, spec, expansion);
  const Missing missing = missing_in(job.database, spec, expansion, wanted, options.gpus > 0);
  settle(options, missing);
  job.launcher = choose_launcher(options, site);
  if (options.dry_run) {
    warn_of_time(options, missing);
    if (job.shards > 0)
      std::cerr << "then a second job merges the parts: occam merge "
                << shell_word(job.database) + " " + shell_word(job.database + ".shards")
                << fmt::format("/*-of-{}.db\n", job.shards);
    fmt::print("{}", batch_script(job));
    return 0;
  }
  if (missing.work.tasks.empty() && missing.failed > 0) {
    std::cerr << job.database << ": " << missing.failed << " trials of " << spec.name
              << " failed, and nothing else is to run; nothing was submitted: "
              << retry_text(job.database) << "\n";
    return 3;
  }
  if (missing.work.tasks.empty()) {
    std::cerr << job.database << ": holds all of " << spec.name
              << (options.only.empty() ? "" : " that was asked for") << "; nothing was submitted\n";
    return 0;
  }

  SubmittedJobs jobs(job.database);
  const std::vector<QueuedJob> queued = jobs.ask(std::time(nullptr));
  std::vector<SubmittedJob> kept;
  std::vector<std::string> old_merges, live_arrays;
  std::set<int> live_shards;
  for (const SubmittedJob& one : jobs.all()) {
    bool live = false;
    for (const QueuedJob& each : queued) {
      if (array_of(each.id) != one.id) continue;
      live = true;
      if (one.part == "shards" && job.shards > 0 && one.of == job.shards)
        live_shards.insert(index_of(each.id));
      else if (one.part != "merge" || job.shards == 0)
        refuse(job.database, queued);
    }
    if (!live) continue;
    if (one.part == "merge") {
      old_merges.push_back(one.id);
    } else {
      live_arrays.push_back(one.id);
      kept.push_back(one);
    }
  }
  bool any_shard = false;
  if (job.shards > 0) {
    const auto shards =
        shards_to_submit(job, spec, expansion, missing, live_shards, wanted.max_attempts);
    any_shard = !shards.empty();
    if (!any_shard && !queued.empty()) refuse(job.database, queued);
    if (static_cast<int>(shards.size()) < job.shards) job.only = shards;
    // Where scontrol is missing, sbatch says it in its words.
    ClusterFacts cluster;
    cluster.max_array_size = job.shards + 1;
    if (has_program("scontrol")) cluster = cluster_facts();
    if (any_shard && job.shards >= cluster.max_array_size)
      throw Error(
          fmt::format("--shards {}: this cluster's arrays have at most {} parts "
                      "(MaxArraySize {}), so nothing was submitted",
                      job.shards, std::max<std::int64_t>(0, cluster.max_array_size - 1),
                      cluster.max_array_size));
  } else {
    check_unlocked(job.database);
  }
  if (!options.parsable) warn_of_time(options, missing);
  std::vector<SubmittedJob> made = submit_all(options, any_shard, live_arrays);
  // The new merge waits for the parts that are still in the queue too.
  cancel_jobs(old_merges);
  print(options, made);
  kept.insert(kept.end(), made.begin(), made.end());
  jobs.record(std::move(kept));
  return 0;
}

}  // namespace

const Subcommand kSubmitCommand{"submit", "run a sweep as a Slurm job", run_submit};

}  // namespace occam
