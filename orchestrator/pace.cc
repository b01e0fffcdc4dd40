#include "orchestrator/pace.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "experiments/cost.h"
#include "orchestrator/gang_plan.h"

namespace occam {
namespace {

constexpr double kCoreRate = 1.0e10;        // multiply-accumulates a second of a CPU core
constexpr double kGpuForwardRate = 6.0e12;  // of a GPU that extracts features, beside trainings

// Only the training, whose share of a trial's time is the large one.
Pace training_pace(const Trial& trial, bool on_gpus) {
  if (!is_trained(trial)) return {};
  if (!on_gpus) return {training_macs(trial) / kCoreRate, 0};
  const auto steps = static_cast<double>(budget(trial).steps);
  return {steps * step_time(trial, 1).total(), steps * packed_step_seconds(trial)};
}

struct Attempt {
  Trial trial;
  double began, ended, seconds;  // of its training and evaluation
  bool counts;                   // trained from its start to its end
  double others = 0;             // at once with it on its worker, on average
};

// Attempts of each worker that lie beside each other share it.
void count_others(std::vector<Attempt>& attempts) {
  for (Attempt& one : attempts) {
    double together = 0;
    for (const Attempt& other : attempts)
      together +=
          std::max(0.0, std::min(one.ended, other.ended) - std::max(one.began, other.began));
    one.others = together / (one.ended - one.began) - 1;
  }
}

}  // namespace

void PaceScale::add(const Trial& trial, double predicted, double seconds) {
  if (predicted <= 0 || seconds <= 0) return;
  Sum& kind = kinds_[kind_of(trial)];
  kind.predicted += predicted;
  kind.seconds += seconds;
}

double PaceScale::of(const Trial& trial) const {
  if (!is_measured()) return 1;
  if (const auto kind = kinds_.find(kind_of(trial)); kind != kinds_.end())
    return kind->second.seconds / kind->second.predicted;
  Sum all;
  for (const auto& [kind, sum] : kinds_) {
    all.predicted += sum.predicted;
    all.seconds += sum.seconds;
  }
  return all.seconds / all.predicted;
}

std::vector<Pace> paces(const MissingWork& work, bool on_gpus, const PaceScale& measured) {
  std::vector<Pace> all;
  for (const Start& start : work.starts) {
    Pace pace = start.keep.score_only ? Pace{} : training_pace(start.config, on_gpus);
    pace.alone +=
        evaluation_macs(start.config, start.evaluations) / (on_gpus ? kGpuForwardRate : kCoreRate);
    const double scale = measured.of(start.config);
    all.push_back({scale * pace.alone, scale * pace.beside});
  }
  return all;
}

PaceScale measured_scale(const Store& store, bool on_gpus) {
  // Scores of kept features carry the seconds of the training that they came from.
  const auto rows = store.texts(
      "SELECT t.config, a.host || ' ' || a.node || ' ' || a.worker, julianday(a.started_at) * "
      "86400, julianday(a.ended_at) * 86400, coalesce(o.train_seconds + o.evaluate_seconds, 0), "
      "coalesce(o.status = 'completed' AND o.steps > 0 AND a.continued IS NULL, 0) FROM attempt a "
      "JOIN trial t ON t.id = a.trial LEFT JOIN outcome o ON o.trial = a.trial AND o.attempt = "
      "a.number WHERE a.ended_at > a.started_at AND a.device NOT GLOB '[1-9]* x *' AND " +
      on_gpu_sql("a.device") + " = " + std::string(on_gpus ? "1" : "0") +
      " ORDER BY a.lease DESC LIMIT 400");
  constexpr double kClock = 0.1;  // seconds that two clocks may be apart
  // A file's leases are in the order of time. Where they go back, another file's were taken in,
  // whose workers may have the same names.
  int file = 0;
  double after = std::numeric_limits<double>::infinity();
  std::map<std::pair<int, std::string>, std::vector<Attempt>> by_worker;
  for (const auto& row : rows) {
    Attempt attempt{store.read_trial(row[0].value()), std::stod(row[2].value()),
                    std::stod(row[3].value()), std::stod(row[4].value()), row[5].value() == "1"};
    attempt.counts &= attempt.seconds <= attempt.ended - attempt.began + kClock;
    if (attempt.began > after + kClock) ++file;
    after = attempt.began;
    by_worker[{file, row[1].value()}].push_back(std::move(attempt));
  }
  PaceScale scale;
  for (auto& [worker, attempts] : by_worker) {
    if (on_gpus) count_others(attempts);
    for (const Attempt& attempt : attempts) {
      if (attempt.counts)
        scale.add(attempt.trial, training_pace(attempt.trial, on_gpus).seconds(attempt.others),
                  attempt.seconds);
    }
  }
  return scale;
}

double seconds_per_work(const MissingWork& work, bool on_gpus, const PaceScale& scale, int slots) {
  if (!scale.is_measured()) return 0;
  double seconds = 0, all = 0;
  for (const Pace& pace : paces(work, on_gpus, scale)) seconds += pace.seconds(slots - 1);
  for (const Task& task : work.tasks) all += task.work;
  return all > 0 ? seconds / all : 0;
}

}  // namespace occam
