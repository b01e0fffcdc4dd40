#pragma once

#include <map>
#include <utility>
#include <vector>

#include "orchestrator/gang_plan.h"
#include "orchestrator/missing_work.h"
#include "results/store.h"

namespace occam {

// How long a trial takes on a worker that it may share with others. On a GPU trials at once slow
// each other, and do more together than one after the other; on a CPU core nothing is shared.
struct Pace {
  double alone = 0;   // seconds of the whole trial, with the worker to itself
  double beside = 0;  // more, for each other trial that is there all the time
  double seconds(double others) const { return alone + others * beside; }
};

// By how much trials take longer than predicted: rotation prediction and the contrastive losses, in
// each precision, each by its own trials that were timed; by all where there are none of a kind.
class PaceScale {
 public:
  void add(const Trial& trial, double predicted, double seconds);
  bool is_measured() const { return !kinds_.empty(); }
  // 1 where nothing was timed.
  double of(const Trial& trial) const;

 private:
  using Kind = std::pair<bool, Precision>;
  static Kind kind_of(const Trial& trial) {
    return {trial.loss == Loss::rotation, trial.precision};
  }
  struct Sum {
    double predicted = 0, seconds = 0;
  };
  std::map<Kind, Sum> kinds_;
};

// Of the trials that the store holds, those that were finished last: of GPUs, or of what else ran
// them.
PaceScale measured_scale(const Store& store, bool on_gpus);

// Predicted: on GPUs like the H200, of which gang_plan.h knows the steps, or on a CPU core; one a
// task.
std::vector<Pace> paces(const MissingWork& work, bool on_gpus, const PaceScale& scale);

// Seconds that a unit of Task::work takes of one of a worker's slots while all are taken, on
// average; 0 where nothing has been timed or nothing is to do.
double seconds_per_work(const MissingWork& work, bool on_gpus, const PaceScale& scale, int slots);

// What a GPU trains at once unless it is told otherwise: what H100s and H200s were measured to
// train quickest, which occam-worker finds out for itself.
inline constexpr int kUsualSlotsOfGpu = 8;
inline int usual_slots(bool on_gpus) { return on_gpus ? kUsualSlotsOfGpu : 1; }

}  // namespace occam
