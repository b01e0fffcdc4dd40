#pragma once

#include <optional>
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

// Predicted: on GPUs like the H100, of which gang_plan.h knows the steps, or on a CPU core. One a
// task, each `scale` times as long.
std::vector<Pace> paces(const MissingWork& work, bool on_gpus, double scale);

// By how much the trials that the store holds took longer than predicted, those that were finished
// last: of GPUs, or of what else ran them. Nothing until one has been timed there.
std::optional<double> measured_scale(const Store& store, bool on_gpus);

// Seconds that a unit of Task::work takes of one of a worker's slots while all are taken, on
// average; 0 where nothing has been timed or nothing is to do.
double seconds_per_work(const MissingWork& work, bool on_gpus, std::optional<double> scale,
                        int slots);

// What a GPU trains at once unless it is told otherwise: what an H100 was measured to train
// quickest, which occam-worker finds out for itself.
inline constexpr int kUsualSlotsOfGpu = 8;
inline int usual_slots(bool on_gpus) { return on_gpus ? kUsualSlotsOfGpu : 1; }

}  // namespace occam
