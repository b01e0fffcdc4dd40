#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <utility>

#include "experiments/error.h"
#include "experiments/spec.h"
#include "images/load.h"
#include "orchestrator/agent.h"
#include "orchestrator/checkpoints.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/commands/run_options.h"
#include "orchestrator/commands/worker_lines.h"
#include "orchestrator/grown_spec.h"
#include "orchestrator/keeping.h"
#include "orchestrator/link/link.h"
#include "orchestrator/node.h"
#include "orchestrator/pace.h"
#include "orchestrator/preflight.h"
#include "orchestrator/progress.h"
#include "orchestrator/requests.h"
#include "orchestrator/shard.h"
#include "orchestrator/signals.h"
#include "orchestrator/sweep.h"
#include "results/open_database.h"
#include "results/planned_tables.h"
#include "results/store.h"
#include "results/store_lock.h"
#include "slurm/environment.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void wait(const Agent& agent, const Signals& signals, const Link& link) {
  const std::chrono::microseconds longest = std::min(link.patience(), agent.patience(Clock::now()));
  std::vector<pollfd> descriptors{{signals.descriptor(), POLLIN, 0}};
  agent.add_descriptors(descriptors);
  const timespec patience{longest.count() / 1'000'000, longest.count() % 1'000'000 * 1000};
  ppoll(descriptors.data(), descriptors.size(), &patience, nullptr);
}

// A rank's life: its agent's work at every wake, and on rank 0 the sweep's.
class Rank {
 public:
  Rank(Link& link, Agent& agent, Signals& signals)
      : link_(link), agent_(agent), signals_(signals) {}

  // Until the agent has gone; the coordinator says when.
  void serve_agent() {
    while (!agent_.gone()) {
      turn_agent();
      link_.flush();
      if (!agent_.gone()) wait(agent_, signals_, link_);
      signals_.take();  // what a signal means is for rank 0 to say
    }
    link_.flush();
  }

  // Every node has left, so that there is nobody to dismiss.
  bool over() const { return over_; }
  // Some of them without a word: MPI cannot be finished with them.
  bool broken() const { return broken_; }

  // Until every node has left.
  void serve_sweep(Sweep& sweep, Requests& requests) {
    sweep.begin();
    while (!sweep.over()) {
      turn_agent();
      sweep.take(link_.from_nodes());
      sweep.tick(Clock::now());
      requests.tick(Clock::now());
      link_.flush();
      if (sweep.over()) break;
      wait(agent_, signals_, link_);
      if (const int signal = signals_.take()) stop(sweep, signal);
    }
    over_ = true;
    broken_ = sweep.lost_a_node();
  }

 private:
  // The first signal lets every running trial checkpoint. To stop at once is for a person to say,
  // by Ctrl-C: Slurm warns by USR1 and may send TERM while all still checkpoint, TERM comes from it
  // and once more from its srun, and `timeout` sends what it sends twice.
  void stop(Sweep& sweep, int signal) {
    constexpr std::chrono::milliseconds kByAPerson{300};
    if (!stopping_since_) {
      std::cerr << "\nstopping: checkpointing every running trial (Ctrl-C stops at once)\n";
      stopping_since_ = Clock::now();
      sweep.drain("signal " + std::to_string(signal));
    } else if (signal == SIGINT && Clock::now() > *stopping_since_ + kByAPerson) {
      agent_.kill_all();
      std::_Exit(128 + signal);
    }
  }

  void turn_agent() {
    for (const std::string& line : link_.from_coordinator()) agent_.handle(line, Clock::now());
    agent_.pump(Clock::now());
    for (std::string& line : agent_.take()) link_.to_coordinator(std::move(line));
  }

  Link& link_;
  Agent& agent_;
  Signals& signals_;
  bool over_ = false, broken_ = false;
  std::optional<Clock::time_point> stopping_since_;
};

// Tells every other rank to leave when rank 0 cannot go on.
void dismiss(Link& link) {
  for (int node = 1; node < link.size(); ++node)
    link.to_node(node, to_line(Down{kWholeNode, Exit{}}));
  int left = 1;
  while (left < link.size()) {
    link.flush();
    for (const auto& [node, line] : link.from_nodes())
      if (std::holds_alternative<Gone>(read_addressed_up(line).message)) ++left;
    usleep(static_cast<useconds_t>(link.patience().count()));
  }
}

std::string summary(const SweepStatus& status, double seconds) {
  std::string text =
      fmt::format("{}: {}/{} trials done", status.name, status.completed, status.trials);
  if (status.collapsed > 0) text += fmt::format(", {} collapsed", status.collapsed);
  if (status.diverged > 0) text += fmt::format(", {} diverged", status.diverged);
  if (status.failed > 0) text += fmt::format(", {} failed", status.failed);
  if (status.cancelled > 0) text += fmt::format(", {} cancelled", status.cancelled);
  return text + fmt::format(" ({} this time)", duration_text(seconds));
}

// When workers have to stop so that the last checkpoints are written in time; nothing without a
// limit.
std::optional<Clock::time_point> end_of_time(double walltime, Clock::time_point now) {
  constexpr double kForCheckpoints = 60;  // seconds, or a tenth of a short time
  double seconds = walltime;
  if (const auto end = seconds == 0 ? slurm_job_end() : std::nullopt)
    seconds = std::max(
        1.0, static_cast<double>(*end) -
                 std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                     .count());
  if (seconds == 0) return std::nullopt;
  seconds -= std::min(kForCheckpoints, seconds / 10);
  return now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// Throws for a gang that could never come together, as far as that is known before all nodes have
// spoken, and for one that would only be slower.
void check_gangs(const MissingWork& work, const std::string& device, const GangRates& rates,
                 const RunOptions& options, const Link& link) {
  if (link.size() == 1)
    check_gang_sizes(work.tasks, static_cast<std::int64_t>(
                                     worker_lines(options, device, room_of(link, device)).size()));
  if (device == "cuda" && !options.force_gangs) check_gang_speeds(work.tasks, work.starts, rates);
}

std::string journal_text(const Store& store, const RunOptions& options) {
  if (store.journal() == Journal::wal) return "write-ahead log";
  return std::string("rollback journal") +
         (options.journal == Journal::automatic ? ": on no disk known to be local" : "");
}

// Which trials this run is for.
std::function<bool(const PlannedTrial&)> chosen_trials(const RunOptions& options, const Spec& spec,
                                                       const Expansion& expansion) {
  const std::function<bool(const PlannedTrial&)> only = asked_for(options.only, spec, expansion);
  if (options.shard.count == 1 && options.done_in.empty()) return only;
  std::unordered_set<std::string> chosen = trials_of(options.shard, expansion);
  if (fs::exists(options.done_in)) {
    const Store other(options.done_in, Store::Mode::read);
    const std::vector<TrialHistory> histories = other.histories(expansion, spec.name);
    for (std::size_t i = 0; i < histories.size(); ++i)
      if (histories[i].cancelled || (histories[i].outcome && histories[i].missing.empty()))
        chosen.erase(expansion.trials[i].id());
  } else if (!options.done_in.empty() && !options.quiet) {
    std::cerr << "--done-in " << options.done_in << ": no such file, so nothing is left out\n";
  }
  return [only, chosen = std::move(chosen)](const PlannedTrial& planned) {
    return only(planned) && chosen.count(planned.id()) > 0;
  };
}

// Sweeps of the same database that wait for a command of their own: one that was added to a run
// that died, above all.
std::string others_text(const std::vector<SweepStatus>& all, const std::string& name) {
  std::string text;
  for (const SweepStatus& one : all) {
    if (one.name != name && one.left() > 0)
      text += fmt::format("{}, also in this database, lacks {} trials: occam run its spec\n",
                          one.name, one.left());
  }
  return text;
}

int coordinate(const RunOptions& options, Link& link, Rank& rank) {
  const Clock::time_point began = Clock::now();
  Spec spec = read_spec(options.spec);
  Expansion expansion = expand_with_images(spec, options.data);
  for (const std::string& warning : expansion.warnings) std::cerr << "warning: " << warning << "\n";
  check_tables(spec, expansion);
  std::function<bool(const PlannedTrial&)> chosen = chosen_trials(options, spec, expansion);
  SweepOptions sweep_options;
  sweep_options.job = slurm_job();
  sweep_options.restart_count = slurm_restart_count();
  sweep_options.coordinator.max_attempts = options.max_attempts;
  sweep_options.coordinator.order = options.order;
  sweep_options.coordinator.checkpoint_every = options.checkpoint_every;
  sweep_options.ends_at = end_of_time(options.walltime, began);
  sweep_options.node_silence = 3 * options.silence;
  sweep_options.trains = !options.score_only;
  sweep_options.stay = options.walltime == 0;  // Slurm's warning comes before its end
  sweep_options.work =
      fs::absolute(options.work.empty() ? options.database + ".work" : options.work);
  const auto missing_of = [&](std::vector<TrialHistory> histories) {
    return missing_work(expansion, std::move(histories), sweep_options.work,
                        {chosen, static_cast<std::size_t>(options.limit), options.max_attempts});
  };
  if (options.score_only) check_readable(options.database);  // it has the features' trials
  check_writable(options.database);
  check_work_folder(sweep_options.work);
  const auto check = [&](const MissingWork& work) {
    std::string device = preflight(work.starts, options.device, options.data, options.worker);
    check_gangs(work, device, sweep_options.gang_rates, options, link);
    return device;
  };
  // What cannot run must not leave a new database behind.
  sweep_options.device =
      fs::exists(options.database) ? "" : check(missing_of(no_histories(expansion)));
  Store store(options.database, Store::Mode::write, options.journal);
  if (!options.quiet) std::cerr << store.opening_text();
  if (const std::string grown = take_grown(store, options.spec, options.data, spec, expansion);
      !grown.empty()) {
    chosen = chosen_trials(options, spec, expansion);
    if (!options.quiet) std::cerr << grown;
  }
  sweep_options.coordinator.first_lease = store.next_lease();
  sweep_options.gang_rates = measured_gang_rates(store);
  if (!options.quiet) std::cerr << drift_text(store.drift(spec, expansion));
  const fs::path kept = fs::absolute(options.database + ".kept");
  std::vector<TrialHistory> histories = store.histories(expansion, spec.name);
  const std::size_t unwritten =
      options.keep.scores ? count_without_scores(histories, expansion, kept) : 0;
  MissingWork work = missing_of(std::move(histories));
  plan_keeping(work, kept, options.keep);
  const std::size_t untrained = options.score_only ? drop_trainings(work) : 0;
  const std::string to_run = to_run_text(work);
  // A retry can be asked for as long as others run.
  const bool some_used_up = work.failed > 0, all_failed = work.to_run() == 0 && some_used_up;
  if (work.to_run() == 0) drop_failed(work);
  if (sweep_options.device.empty() && !work.starts.empty()) sweep_options.device = check(work);
  const bool on_gpus = sweep_options.device == "cuda";
  const int slots = options.slots > 0 ? options.slots : usual_slots(on_gpus);
  sweep_options.seconds_per_work =
      seconds_per_work(work, on_gpus, measured_scale(store, on_gpus), slots);
  store.record_sweep(spec, expansion);
  // Of outcomes that committed just before a crash, or that were taken in.
  for (const fs::path& path : useless_checkpoints(store, sweep_options.work, false))
    fs::remove_all(path);
  for (const fs::path& path : half_written_features(kept)) fs::remove_all(path);
  const bool missing = !work.tasks.empty();
  const std::size_t total = expansion.trials.size();
  if (!options.quiet) {
    std::cerr << fmt::format("{}: {} trials, {}", spec.name, total, to_run);
    if (expansion.duplicates > 0)
      std::cerr << fmt::format(", {} duplicates dropped", expansion.duplicates);
    if (expansion.excluded > 0) std::cerr << fmt::format(", {} excluded", expansion.excluded);
    std::cerr << (missing ? " on " + sweep_options.device : "") << "; results in "
              << options.database << " (" << journal_text(store, options) << ")\n";
  }

  ProgressLine progress(options.quiet, began);
  // What came and went until here is more than what a sweep of days needs.
  const std::string name = std::exchange(spec, {}).name;
  expansion = {};
  malloc_trim(0);
  Sweep sweep(std::move(work), sweep_options, store, link, progress);
  const auto prepare = [&](MissingWork& more) {
    plan_keeping(more, kept, options.keep);
    if (options.score_only) drop_trainings(more);
    if (!more.starts.empty()) check(more);
  };
  Requests requests(store, sweep, sweep_options.work, {.max_attempts = options.max_attempts},
                    source_finder(options.data), prepare);
  // While trials run, another program's lock is waited for between two wakes.
  store.set_patience(std::chrono::milliseconds(100));
  rank.serve_sweep(sweep, requests);
  store.set_patience(kPatience);
  progress.finish();
  std::error_code ignored;
  fs::remove(sweep_options.work, ignored);  // when nothing is left in it

  if (!sweep.hopeless().empty()) throw Error(sweep.hopeless());
  if (sweep.locked_out() && sweep.work_left()) {
    std::cerr << "occam: " << sweep.write_failure() << "\n";
    return 75;
  }
  if (!sweep.write_failure().empty()) throw Error(sweep.write_failure());
  if (!sweep.displaced().empty()) {
    store.close();
    throw Error(sweep.displaced());
  }
  const std::vector<SweepStatus> all = store.status();
  const auto status = std::find_if(all.begin(), all.end(),
                                   [&](const SweepStatus& one) { return one.name == name; });
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  // Also of trials that have an outcome, and lack scores.
  const bool failed = all_failed || sweep.some_failed() || status->failed > 0;
  const int code = sweep.work_left() ? 75 : untrained > 0 || failed || status->diverged > 0 ? 3 : 0;
  if (!options.quiet || code != 0)
    std::cerr << summary(*status, seconds)
              << (sweep.work_left() ? "; the same command goes on"
                  : failed && (some_used_up || !options.score_only)
                      ? "; " + retry_text(options.database)
                      : "")
              << "\n"
              << others_text(all, name);
  store.close();
  if (sweep.work_left()) return code;
  const std::string command =
      "`occam run " + shell_word(options.spec) + " --db " + shell_word(options.database) + "`";
  if (untrained > 0)
    std::cerr << untrained << " of its trials have no kept features for these scores; " << command
              << " trains them\n";
  if (sweep.unscored() > 0)
    std::cerr << sweep.unscored() << " of its trials could not be scored by their kept features; "
              << "where those are at fault, " << command << " trains them again\n";
  if (unwritten > 0)
    std::cerr << unwritten << " of its trials were done before without --keep scores; a further "
              << "classifier in the spec has the scores of their images written, by all\n";
  return code;
}

int serve(const RunOptions& options) {
  Signals signals;
  const std::unique_ptr<Link> link = make_link();
  // srun binds to what the step has; mpirun to one core.
  if (under_launcher() && !started_by_srun()) widen_affinity();
  Agent agent({host_name(),
               [&](const std::string& device) {
                 return worker_lines(options, device, room_of(*link, device));
               },
               std::chrono::duration<double>(options.silence),
               std::chrono::duration<double>(options.stall)});
  Rank rank(*link, agent, signals);
  int code = 0;
  if (link->rank() != 0) {
    rank.serve_agent();
  } else {
    try {
      code = coordinate(options, *link, rank);
    } catch (const std::exception&) {
      agent.kill_all();
      if (!rank.over()) dismiss(*link);
      link->finish();
      throw;
    }
  }
  if (rank.broken()) std::_Exit(code);  // the launcher ends the ranks that are left
  link->finish();
  return code;
}

int run_or_evaluate(const std::vector<std::string>& words, bool score_only) {
  const auto options = read_run_options(words, score_only);
  return options ? serve(*options) : 0;
}
int run_sweep(const std::vector<std::string>& words) { return run_or_evaluate(words, false); }
int evaluate(const std::vector<std::string>& words) { return run_or_evaluate(words, true); }

}  // namespace

const Subcommand kEvaluateCommand{
    "evaluate", "new classifiers and parameters on kept features, without training", evaluate};
const Subcommand kRunCommand{"run", "run what is missing of a sweep, and go on where it stopped",
                             run_sweep};

}  // namespace occam
