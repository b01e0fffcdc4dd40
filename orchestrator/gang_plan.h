#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "experiments/message.h"
#include "orchestrator/coordinator.h"
#include "results/store.h"

namespace occam {

// When a trial is worth several GPUs, and how many.
//
// A trial with `"gpus": "auto"` has one, unless
// - GPUs would stand idle for it: while the longest trial takes longer than all work would take on
//   all GPUs together, it is given twice the GPUs, as far as its gang still does at least three
//   quarters of the work that as many GPUs do on single trials, fits on a node, and divides its
//   batch. So GPU hours come first, and wall time where they allow it; small batches, and sweeps of
//   many trials, have no gangs.
// - it ran out of memory with a GPU to itself: then it is tried again with twice as many.
// Widening the longest until it is no longer than the average is the choice of sizes in Turek, Wolf
// and Yu, "Approximate algorithms for scheduling parallelizable tasks", SPAA 1992.
//
// A number in a spec is taken as it is, but on GPUs a gang that is predicted to be slower than one
// GPU is refused.

// Measured over predicted seconds of a step, of trials that had their GPUs to themselves: by the
// number of GPUs. A number that nothing was measured with takes the nearest smaller one's.
using GangRates = std::map<std::int64_t, double>;
GangRates measured_gang_rates(const Store& store);

// Where a step's time goes, in seconds.
struct StepTime {
  double compute;    // of one GPU's share of the batch
  double norms;      // exchanges of batch norm statistics, forward and backward
  double gradients;  // all-reduce of the gradients, as if none of it were hidden
  double total() const { return compute + norms + gradients; }
};
// On so many H200s of one host, each of them used by nothing else.
StepTime step_time(const Trial& trial, std::int64_t gpus, const GangRates& rates = {});
// GPU time of a step when other trials share the GPU.
double packed_step_seconds(const Trial& trial, const GangRates& rates = {});

struct GangMachine {
  bool has_gpus;
  std::int64_t workers, on_a_node;  // in all; on the node with most
};
struct GangChoice {
  std::int32_t gpus, most_gpus;  // as in Task
  float speedup;
};

// The largest number of GPUs that "auto" might choose: a power of two that divides the batch.
std::int32_t largest_gang(const Trial& trial);
// One choice a task, which has gpus as the spec says; gpus 1 with most_gpus above 1 is "auto". On a
// CPU "auto" is 1, and a gang counts as that many times faster.
std::vector<GangChoice> choose_gangs(const std::vector<Task>& tasks,
                                     const std::vector<Start>& starts, const GangMachine& machine,
                                     const GangRates& rates);
// The same, made true of the tasks.
void form_gangs(std::vector<Task>& tasks, const std::vector<Start>& starts,
                const GangMachine& machine, const GangRates& rates);

// Throw UsageError, with the figures: for a trial that wants more workers than there are; for one
// whose gang of GPUs would be slower than one of them.
void check_gang_sizes(const std::vector<Task>& tasks, std::int64_t workers);
void check_gang_speeds(const std::vector<Task>& tasks, const std::vector<Start>& starts,
                       const GangRates& rates);

// An attempt's device: "2 x NVIDIA H100" for a gang, whose size is part of what its last bits
// depend on; and the number of GPUs that such a text names.
std::string gang_device(std::int64_t size, const std::string& device);
std::int64_t gang_size(const std::string& device);
// Whether such a text names GPUs, as a condition in SQL on a column of it.
std::string on_gpu_sql(const std::string& column);

}  // namespace occam
