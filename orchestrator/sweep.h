#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orchestrator/coordinator.h"
#include "orchestrator/event_log.h"
#include "orchestrator/gang_plan.h"
#include "orchestrator/link/link.h"
#include "orchestrator/missing_work.h"
#include "orchestrator/progress.h"
#include "results/spool.h"
#include "results/store.h"

namespace occam {

struct SweepOptions {
  CoordinatorOptions coordinator;
  std::filesystem::path work;  // checkpoints: <work>/<trial>/<lease>.ckpt
  std::string device;          // "cpu" or "cuda"
  // When workers must have checkpointed and left; none is no limit.
  std::optional<std::chrono::steady_clock::time_point> ends_at = std::nullopt;
  // After so many seconds without a word from a node with workers it counts as lost: what runs
  // elsewhere checkpoints, and the sweep leaves. 0 is never.
  double node_silence = 0;
  // Where nothing more can be started before that end, and something was, stay until it
  // nevertheless: whoever started this will warn of the end and see to the next turn.
  bool stay = false;
  // Seconds a unit of work, of earlier trials; 0 is unknown.
  double seconds_per_work = 0;
  GangRates gang_rates = {};
  // The scheduler's job that all this runs in, and how often that was requeued; empty outside one.
  std::string job = {};
  std::int64_t restart_count = 0;
  // Also a trial that was to be scored by kept features and could not.
  bool trains = true;
};

// Rank 0's part of a sweep: turns what agents say into the coordinator's events, and its commands
// into messages and rows of the store. Time comes in as an argument. One thread.
//
// What comes in one wake is recorded as one group, and nothing of it leaves before it is durable:
// in the database, or where that cannot take it, in the spool. Behind another program's lock the
// sweep goes on and tries again; for any other reason it checkpoints and leaves.
class Sweep {
 public:
  using Time = std::chrono::steady_clock::time_point;
  Sweep(MissingWork work, SweepOptions options, Store& store, Link& link, ProgressLine& progress);

  void begin();  // every node starts its workers
  // One wake's lines, with the nodes that they come from. Throws UsageError when all nodes have
  // said how many workers they have and a trial wants more than that; nothing has started then.
  void take(const std::vector<std::pair<int, std::string>>& lines);
  void tick(Time now);  // at least every second
  void drain(const std::string& reason);

  // More trials. One that the sweep has already brings from its next attempt on what it is asked
  // for here, too: one that is done or was cancelled runs again, one that runs does so afterwards.
  // Returns how many the sweep had. Throws UsageError, taking none, for one that wants more workers
  // than there are.
  std::size_t add(MissingWork more);
  // Takes trials out; returns how many of them had no outcome yet.
  std::size_t cancel(const std::vector<std::string>& trials);
  // Gives trials that failed, diverged or were cancelled all their attempts again; returns how many
  // are part of this sweep.
  std::size_t retry(const std::vector<std::string>& trials);
  bool leaving() const { return leaving_; }

  // Throws Error, saying why, while the database lacks what the sweep knows.
  void check_recorded();

  // Every node has left, or is lost, and what there is to record is recorded or given up.
  bool over() const { return all_left() && !locked_since_; }
  // Nobody answers there any more, so that nothing can be ended in agreement with it.
  bool lost_a_node() const { return !nodes_lost_.empty(); }
  // Ended before all was done.
  bool work_left() const { return coordinator_.pending() + coordinator_.running() > 0; }
  // Trials given up; some may have an earlier outcome, which stands, and lack scores.
  bool some_failed() const { return coordinator_.failed() > 0; }
  // Of those, without a training that failed: kept features could not be scored.
  std::size_t unscored() const { return unscored_.size(); }
  // No worker could be started anywhere: why. Empty while there is hope.
  const std::string& hopeless() const { return hopeless_; }
  // The database could not be written: why, and where its outcomes are. Empty while it can.
  std::string write_failure() const;
  // And that for no more than another program's lock.
  bool locked_out() const { return waited_since_ && !write_failure_.empty() && !nameless_; }
  // The database was removed or replaced: how to go on with the copy of it. Empty if it was not.
  const std::string& displaced() const { return displaced_; }

 private:
  struct InTraining {
    double share = 0;  // of it done
    double images_per_second = 0;
  };
  struct Worker {
    WorkerFacts facts;
    std::map<std::int64_t, InTraining> progress;  // by lease
  };
  static nlohmann::ordered_json place_of(WorkerId id);  // as events name a worker
  bool all_left() const { return static_cast<int>(nodes_left_.size()) == link_.size(); }
  template <class What>
  void record(What&& what) {
    unrecorded_.push_back({std::forward<What>(what)});
  }
  void record_curves();
  void commit();
  void try_to_record();
  void spool();
  void cannot_write(const std::string& problem);
  void wait_for_lock(const std::string& problem);
  void mind_the_lock(Time now);
  bool mind_the_files();
  void carry_out(const std::vector<Command>& commands);
  void carry_out(const StartTrial& command);
  void carry_out(const LeaveGang& command);
  void carry_out(const EndAttempt& command);
  void carry_out(const StopWorker& command);
  void carry_out(const EndWorker& command);
  void carry_out(const Quarantine& command);
  void on(WorkerId id, const Ready& message);
  void on(WorkerId id, const Alive& message);
  void on(WorkerId id, const Progress& message);
  void on(WorkerId id, const Saved& message);
  void on(WorkerId id, const Scoring& message);
  void on(WorkerId id, const Ticket& message);
  void on(WorkerId id, const Outcome& message);
  void on(WorkerId id, const Stopped& message);
  void on(WorkerId id, const Left& message);
  void on(WorkerId id, const Log& message);
  void on(WorkerId id, const Lost& message);
  void on(WorkerId id, const Crew& message);
  void on(WorkerId id, const Empty& message);
  void on(WorkerId id, const Gone& message);
  void join(WorkerId id, const Ready& message);
  void widen(std::size_t task);
  std::vector<Command> add_scores(std::size_t task, const std::vector<EvaluationRequest>& wanted);
  std::vector<Command> run_again(std::size_t task);
  GangMachine machine() const;
  void out_of_memory(const Outcome& outcome);
  void take_up_unscored(const Outcome& outcome, std::size_t task);
  void finish(const Outcome& outcome, std::size_t task);
  void mind_the_time(Time now);
  void mind_the_nodes(Time now);
  void ask_for_workers();
  void leave_when_finished();
  void leave();
  void show(Time now);

  std::vector<Start> starts_;  // one a task
  std::unordered_map<std::string, std::size_t> task_of_trial_;
  std::vector<bool> has_outcome_;  // by task: one that counts, of an earlier run or of this
  std::vector<bool> done_;         // by task: it brought what it was asked for
  std::set<std::size_t> unscored_;
  // What tasks are asked for from their next attempt on, where that is more.
  std::map<std::size_t, std::vector<EvaluationRequest>> wider_;
  SweepOptions options_;
  Store& store_;
  std::string database_;  // as it was named, wherever its copy is by now
  Link& link_;
  ProgressLine& progress_;
  EventLog events_;
  Coordinator coordinator_;
  std::map<WorkerId, Worker> workers_;
  std::set<WorkerId> ending_;                            // asked to, for a cancelled trial
  std::set<int> nodes_empty_, nodes_left_, nodes_lost_;  // left: lost ones too
  std::set<int> spoke_;                                  // since the last tick
  std::map<int, Time> heard_;                            // a node's last word
  Time ticked_{};
  std::map<int, std::int64_t> crew_;               // workers, of nodes that have said so
  std::vector<std::pair<WorkerId, Ready>> early_;  // before all nodes had
  bool has_crew_ = false;
  std::vector<Change> curves_;      // rows that can wait for company
  std::vector<Change> unrecorded_;  // what the database is to take next
  std::size_t spooled_ = 0;         // so many of them are in the spool
  Spool spool_;
  std::string spool_file_, spool_problem_;
  std::optional<Time> locked_since_, waited_since_;  // another program's lock; for it, at the end
  Time tried_{};
  bool told_of_lock_ = false;
  bool nameless_ = false;  // the database was removed or replaced, and there is no copy of it yet
  SweepProgress shown_;
  // Attempts that went on from an earlier run's checkpoint and have not said yet how far that is,
  // and of trials whose attempts have, that work.
  std::set<std::int64_t> resumed_;
  std::map<std::size_t, double> work_before_;
  double timed_seconds_ = 0, timed_work_ = 0;  // of finished trials, for seconds_per_work
  bool leaving_ = false, drained_ = false, waiting_ = false, started_ = false;
  Time curves_recorded_{};
  std::string hopeless_, last_loss_, write_failure_, lock_problem_, displaced_;
};

}  // namespace occam
