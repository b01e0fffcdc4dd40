#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/spec.h"
#include "orchestrator/coordinator.h"
#include "orchestrator/link/link.h"
#include "orchestrator/progress.h"
#include "results/store.h"

namespace occam {

struct SweepOptions {
  CoordinatorOptions coordinator;
  std::filesystem::path work;  // checkpoints: <work>/<trial>/<lease>.ckpt
  std::string device;          // "cpu" or "cuda"
};

// Histories of trials that no database knows.
std::vector<TrialHistory> no_histories(const Expansion& expansion);

// The missing trials of an expansion as tasks, with what a worker needs to start them.
struct MissingWork {
  std::vector<Task> tasks;
  std::vector<Start> starts;  // one a task; the lease is filled in when it starts
  // Trained before, and again for scores that nobody had asked for.
  std::size_t again = 0;
  std::vector<std::string> again_for;  // their classifiers
};
// "3 to run: 1 new, 2 trained again for gde"
std::string to_run_text(const MissingWork& work);
// What a changed spec means for the sweep of its name, in lines; empty for an unchanged or new one.
std::string drift_text(const SweepDrift& drift);

// Only trials that `wanted` accepts, and at most `limit` of them.
MissingWork missing_work(const Expansion& expansion, const std::vector<TrialHistory>& histories,
                         const std::filesystem::path& work,
                         const std::function<bool(const Trial&)>& wanted, std::size_t limit);

// Rank 0's part of a sweep: turns what agents say into the coordinator's events, and its commands
// into messages and rows of the store. Time comes in as an argument. One thread.
class Sweep {
 public:
  using Time = std::chrono::steady_clock::time_point;
  Sweep(MissingWork work, SweepOptions options, Store& store, Link& link, ProgressLine& progress);

  void begin();  // every node starts its workers
  void handle(int node, const Up& up);
  void drain();
  void show(Time now);

  // Every node has left.
  bool over() const { return static_cast<int>(nodes_left_.size()) == link_.size(); }
  // Drained before all was done.
  bool work_left() const { return coordinator_.pending() > 0; }
  // No worker could be started anywhere: why. Empty while there is hope.
  const std::string& hopeless() const { return hopeless_; }

 private:
  struct Worker {
    WorkerFacts facts;
    std::map<std::int64_t, double> progress;  // share of the training done, by lease
    double images_per_second = 0;
  };
  void carry_out(const std::vector<Command>& commands);
  void start(const StartTrial& command);
  void on(WorkerId id, const Ready& message);
  void on(WorkerId id, const Alive& message);
  void on(WorkerId id, const Progress& message);
  void on(WorkerId id, const Outcome& message);
  void on(WorkerId id, const Stopped& message);
  void on(WorkerId id, const Log& message);
  void on(WorkerId id, const Lost& message);
  void on(WorkerId id, const Empty& message);
  void on(WorkerId id, const Gone& message);
  void leave_when_finished();
  void leave();
  void remove_checkpoints(const std::string& trial) const;

  MissingWork work_;
  SweepOptions options_;
  Store& store_;
  Link& link_;
  ProgressLine& progress_;
  Coordinator coordinator_;
  std::map<WorkerId, Worker> workers_;
  std::set<int> nodes_empty_, nodes_left_;
  std::vector<Progress> unsaved_progress_;
  SweepProgress shown_;
  bool leaving_ = false;
  std::string hopeless_, last_loss_;
};

}  // namespace occam
