#include "orchestrator/gang_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <queue>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

// One GPU, ResNet-18 at full width and 32 pixels (bench/README.md, H200): in bf16 and packed a step
// has 0.18 ms beside 0.0078 ms an image, for contrastive and rotation alike (0.08 there); alone,
// batches of 32 to 2048 leave 0.8 to 1.4 ms beside the same. fp32 and tf32 are an H100's, packed.
constexpr double kFixedAlone = 1.0e-3, kFixedPacked = 0.18e-3;
constexpr double kSecondsPerMac =
    0.0078e-3 / kFullImageMacs;  // forward, with its backward and update
constexpr double kSecondsPerMacTf32 = 0.0266e-3 / kFullImageMacs,
                 kSecondsPerMacFp32 = 0.109e-3 / kFullImageMacs;

// All-reduce of two H100s of one host over NVLink, NVLS off, inside a graph: 8 kB 6.5 us, 256
// kB 8.3 us, 27 MB 119 us, 53 MB 213 us. A ring of R moves 2 (R - 1) / R of the bytes, which is 1
// for two; a tree's latency grows with log2 R. The norms' kernels of two H200s wait 0.15 ms a step
// for each other's sums, 56 times (bench/README.md). More than two have not been measured.
constexpr double kExchangeSeconds = 0.15e-3 / 56;
constexpr double kAllReduceLatency = 6.5e-6, kAllReduceSecondsPerByte = (213e-6 - 6.5e-6) / 53e6;

double all_reduce_seconds(double bytes, std::int64_t gpus) {
  const auto count = static_cast<double>(gpus);
  return kAllReduceLatency * std::log2(count) +
         bytes * kAllReduceSecondsPerByte * 2 * (count - 1) / count;
}

double rate_of(const GangRates& rates, std::int64_t gpus) {
  const auto above = rates.upper_bound(gpus);
  return above == rates.begin() ? 1 : std::prev(above)->second;
}

// Of the images that one step sends through the network.
double image_seconds(const Trial& trial) {
  const double macs = forward_macs(trial) * static_cast<double>(images_per_step(trial));
  switch (trial.precision) {
    case Precision::fp32:
      return macs * kSecondsPerMacFp32;
    case Precision::tf32:
      return macs * kSecondsPerMacTf32;
    case Precision::bf16:
      return macs * kSecondsPerMac;
  }
  throw std::logic_error("unknown precision");
}

bool is_auto(const Task& task) { return task.gpus == 1 && task.most_gpus > 1; }

float speedup_of(const Trial& trial, std::int64_t gpus, const GangRates& rates) {
  return static_cast<float>(step_time(trial, 1, rates).total() /
                            step_time(trial, gpus, rates).total());
}

// A gang does at least so much of the work that its GPUs would do on single trials.
constexpr double kLeastEfficiency = 0.75;

bool pays(const Trial& trial, std::int64_t gpus, const GangRates& rates) {
  return packed_step_seconds(trial, rates) >=
         kLeastEfficiency * static_cast<double>(gpus) * step_time(trial, gpus, rates).total();
}

}  // namespace

StepTime step_time(const Trial& trial, std::int64_t gpus, const GangRates& rates) {
  const double rate = rate_of(rates, gpus);
  StepTime time{rate * (kFixedAlone + image_seconds(trial) / static_cast<double>(gpus)), 0, 0};
  if (gpus == 1) return time;
  const double bytes = trial.precision == Precision::bf16 ? 2 : 4;
  time.norms = rate * 2 * static_cast<double>(norm_count(trial)) * kExchangeSeconds *
               std::log2(static_cast<double>(gpus));
  time.gradients = rate * all_reduce_seconds(bytes * weight_count(trial), gpus);
  return time;
}

double packed_step_seconds(const Trial& trial, const GangRates& rates) {
  return rate_of(rates, 1) * (kFixedPacked + image_seconds(trial));
}

std::int32_t largest_gang(const Trial& trial) {
  constexpr std::int64_t kMost = 1024;
  std::int64_t size = 1;
  if (is_trained(trial))
    while (size < kMost && trial.batch_size % (2 * size) == 0) size *= 2;
  return static_cast<std::int32_t>(size);
}

std::vector<GangChoice> choose_gangs(const std::vector<Task>& tasks,
                                     const std::vector<Start>& starts, const GangMachine& machine,
                                     const GangRates& rates) {
  std::vector<GangChoice> choices(tasks.size(), {1, 1, 1});
  bool any_auto = false;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].gpus > 1) {
      choices[i].gpus = tasks[i].gpus;
      choices[i].speedup = machine.has_gpus ? speedup_of(starts[i].config, tasks[i].gpus, rates)
                                            : static_cast<float>(tasks[i].gpus);
    }
    if (!is_auto(tasks[i]) || !machine.has_gpus) continue;
    any_auto = true;
    while (2 * choices[i].most_gpus <=
           std::min<std::int64_t>(tasks[i].most_gpus, machine.on_a_node))
      choices[i].most_gpus *= 2;
  }
  if (!any_auto) return choices;

  // GPU seconds of everything, and how long each trial takes.
  struct Length {
    double seconds;
    std::size_t task;
    bool operator<(const Length& other) const {
      return seconds != other.seconds ? seconds < other.seconds : task > other.task;
    }
  };
  std::priority_queue<Length> longest;
  double gpu_seconds = 0;
  const auto steps = [&](std::size_t i) {
    return is_trained(starts[i].config) ? static_cast<double>(budget(starts[i].config).steps) : 0.0;
  };
  const auto seconds = [&](std::size_t i, std::int64_t gpus) {
    return steps(i) * step_time(starts[i].config, gpus, rates).total();
  };
  const auto cost = [&](std::size_t i, std::int64_t gpus) {
    return gpus == 1 ? steps(i) * packed_step_seconds(starts[i].config, rates)
                     : static_cast<double>(gpus) * seconds(i, gpus);
  };
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    gpu_seconds += cost(i, choices[i].gpus);
    longest.push({seconds(i, choices[i].gpus), i});
  }
  const auto workers = static_cast<double>(machine.workers);
  while (!longest.empty() && longest.top().seconds > gpu_seconds / workers) {
    const auto [length, i] = longest.top();
    longest.pop();
    const std::int32_t wider = 2 * choices[i].gpus;
    if (wider > choices[i].most_gpus || !pays(starts[i].config, wider, rates)) break;
    const double more = cost(i, wider) - cost(i, choices[i].gpus);
    if (seconds(i, wider) >= length || (gpu_seconds + more) / workers >= length) break;
    gpu_seconds += more;
    choices[i].gpus = wider;
    choices[i].speedup = speedup_of(starts[i].config, wider, rates);
    longest.push({seconds(i, wider), i});
  }
  return choices;
}

void form_gangs(std::vector<Task>& tasks, const std::vector<Start>& starts,
                const GangMachine& machine, const GangRates& rates) {
  const std::vector<GangChoice> choices = choose_gangs(tasks, starts, machine, rates);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    tasks[i].gpus = choices[i].gpus;
    tasks[i].most_gpus = choices[i].most_gpus;
    tasks[i].speedup = choices[i].speedup;
  }
}

void check_gang_sizes(const std::vector<Task>& tasks, std::int64_t workers) {
  const auto wide = std::max_element(tasks.begin(), tasks.end(),
                                     [](const Task& a, const Task& b) { return a.gpus < b.gpus; });
  if (wide == tasks.end() || wide->gpus == 1 || wide->gpus <= workers) return;
  throw UsageError(
      fmt::format("trial {} wants gpus {}, and this run has {} {} in all, so it could never start; "
                  "give it more "
                  "(--workers, or more nodes), or a smaller number in the spec",
                  wide->trial, wide->gpus, workers, workers == 1 ? "worker" : "workers"));
}

void check_gang_speeds(const std::vector<Task>& tasks, const std::vector<Start>& starts,
                       const GangRates& rates) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].gpus == 1) continue;
    const Trial& trial = starts[i].config;
    const StepTime gang = step_time(trial, tasks[i].gpus, rates);
    const double alone = step_time(trial, 1, rates).total();
    if (gang.total() < alone) continue;
    throw UsageError(
        fmt::format("trial {}: gpus {} at batch_size {} is predicted to be slower than one GPU: "
                    "{:.2f} ms a step "
                    "({:.2f} ms of them for synchronised batch norm, {:.2f} ms for the gradients) "
                    "against {:.2f} "
                    "ms; take gpus 1 or \"auto\", or insist with --force-gangs",
                    tasks[i].trial, tasks[i].gpus, trial.batch_size, 1e3 * gang.total(),
                    1e3 * gang.norms, 1e3 * gang.gradients, 1e3 * alone));
  }
}

GangRates measured_gang_rates(const Store& store) {
  const auto rows = store.texts(
      "SELECT t.config, o.train_seconds, o.steps, a.device FROM outcome o JOIN trial t ON t.id = "
      "o.trial JOIN attempt a ON a.trial = o.trial AND a.number = o.attempt WHERE o.retired_at IS "
      "NULL AND o.status = 'completed' AND o.steps > 0 AND a.continued IS NULL AND " +
      on_gpu_sql("a.device") + " ORDER BY o.recorded_at DESC LIMIT 1000");
  std::map<std::int64_t, std::vector<double>> ratios;
  for (const auto& row : rows) {
    const Trial trial = store.read_trial(row[0].value());
    const std::int64_t gpus = gang_size(row[3].value());
    if (gpus == 1 && full_images_per_step(trial) < kFillsGpu) continue;  // it had neighbours
    ratios[gpus].push_back(std::stod(row[1].value()) / std::stod(row[2].value()) /
                           step_time(trial, gpus).total());
  }
  GangRates rates;
  for (auto& [gpus, all] : ratios) {
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    rates[gpus] = *middle;
  }
  return rates;
}

std::string on_gpu_sql(const std::string& column) {
  return fmt::format("({0} NOT LIKE 'cpu%' AND {0} NOT LIKE '% x cpu%')", column);
}

std::string gang_device(std::int64_t size, const std::string& device) {
  return fmt::format("{} x {}", size, device);
}

std::int64_t gang_size(const std::string& device) {
  const std::size_t end = device.find(" x ");
  std::int64_t size = 1;
  if (end == std::string::npos || !read_number(std::string_view(device).substr(0, end), size))
    return 1;
  return std::max<std::int64_t>(1, size);
}

}  // namespace occam
