#include "worker/packing.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "experiments/error.h"
#include "generated/revision.h"
#include "worker/benches.h"
#include "worker/device.h"
#include "worker/model/precision.h"
#include "worker/train/training_step.h"

namespace occam {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// Steps of the trial for so many seconds, in images a second.
double rate_of(TrainingStep& step, const Trial& trial, double seconds) {
  const std::int64_t steps = budget(trial).steps_per_epoch;
  const Clock::time_point began = Clock::now();
  std::int64_t done = 0;
  for (std::int64_t epoch = 0; seconds_since(began) < seconds; ++epoch) {
    step.begin_epoch(epoch, 0, trial.learning_rate);
    for (std::int64_t i = 0; i < steps && seconds_since(began) < seconds; ++i, ++done) step.run();
  }
  step.sums();
  return static_cast<double>(done * images_per_step(trial)) / seconds_since(began);
}

// The recipe that the paper's grid is made of.
Trial probe_trial() {
  Trial trial;
  trial.dataset = Dataset::fashion_mnist;
  trial.distribution_augmentation = DistributionAugmentation::rotation;
  trial.precision = Precision::bf16;
  return canonical(trial);
}

}  // namespace

PackedRate packed_rate(const Trial& trial, const torch::Tensor& images, torch::Device device,
                       int slots, int parts, double seconds, int rounds) {
  constexpr double kWarmUp = 0.5;  // seconds
  std::barrier ready(slots + 1);
  std::vector<std::vector<double>> rates(static_cast<std::size_t>(slots));
  std::vector<std::exception_ptr> problems(static_cast<std::size_t>(slots));
  std::vector<std::thread> threads;
  const Clock::time_point began = Clock::now();
  for (int slot = 0; slot < slots; ++slot)
    threads.emplace_back([&, slot] {
      try {
        Bench bench(device, {slot % parts, parts});
        bench.enter_training();
        Trial mine = trial;
        mine.seed = slot + 1;
        TrainingStep& step = bench.step(mine, images);
        step.begin(mine, images, {});
        ready.arrive_and_wait();  // all are built
        rate_of(step, mine, kWarmUp);
        for (int round = 0; round < rounds; ++round) {
          ready.arrive_and_wait();
          rates[static_cast<std::size_t>(slot)].push_back(rate_of(step, mine, seconds));
        }
      } catch (...) {
        problems[static_cast<std::size_t>(slot)] = std::current_exception();
        ready.arrive_and_drop();
      }
    });
  ready.arrive_and_wait();
  const double build = seconds_since(began);
  for (int round = 0; round < rounds; ++round) ready.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& problem : problems)
    if (problem) std::rethrow_exception(problem);
  std::vector<double> sums(static_cast<std::size_t>(rounds), 0);
  for (const std::vector<double>& of_slot : rates)
    for (std::size_t round = 0; round < sums.size(); ++round) sums[round] += of_slot[round];
  std::sort(sums.begin(), sums.end());
  return {(sums[(sums.size() - 1) / 2] + sums[sums.size() / 2]) / 2, build};
}

int best_slots(const std::function<double(int slots)>& rate) {
  constexpr double kWorthIt = 1.02;
  int best = 4;
  double highest = rate(best);
  const auto climb = [&](std::initializer_list<int> candidates, double gain) {
    for (const int slots : candidates) {
      const double found = rate(slots);
      if (highest > 0 && found <= gain * highest) return;
      best = slots;
      highest = found;
    }
  };
  if (highest > 0) climb({8, 12, 16}, kWorthIt);
  // Fewer are as good where they are as quick: each trial is done sooner.
  if (best == 4) climb({2, 1}, 1 / kWorthIt);
  return best;
}

int measured_slots(torch::Device device, int most_parts, const std::filesystem::path& folder,
                   const std::function<void(const std::string&)>& log) {
  const std::string key = device_kind(device) + ", parts " + std::to_string(most_parts) +
                          (is_deterministic() ? ", deterministic" : "") + "; " OCCAM_NUMERIC_DIGEST;
  const std::filesystem::path path = folder / "slots.json";
  nlohmann::json known = nlohmann::json::object();
  if (std::ifstream file(path); file) {
    known = nlohmann::json::parse(file, nullptr, false);
    if (!known.is_object()) known = nlohmann::json::object();
    if (known.contains(key) && known[key].is_number_integer() && known[key] > 0)
      return known[key].get<int>();
  }
  log("measuring how many trials " + device_name(device) +
      " trains quickest at once (--slots N leaves that out)");
  const Trial trial = probe_trial();
  const torch::Tensor images = at::randint(0, 256, {6000, 1, 32, 32}, torch::kUInt8);
  const int slots = best_slots([&](int count) {
    try {
      const double rate =
          packed_rate(trial, images, device, count, parts_of(device, count, most_parts), 0.5, 3)
              .images_per_second;
      log(std::to_string(count) + " at once: " + std::to_string(std::llround(rate)) + " images/s");
      return rate;
    } catch (const std::exception& problem) {
      if (!is_out_of_memory(problem.what())) throw;
      log(std::to_string(count) + " at once: more than its memory holds");
      return 0.0;
    }
  });
  // Kept for the next worker; one that cannot keep it measures again.
  known[key] = slots;
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const std::filesystem::path partial = folder / ("slots.json." + std::to_string(getpid()));
  if (std::ofstream(partial) << known.dump(1) << "\n")
    std::filesystem::rename(partial, path, ignored);
  return slots;
}

}  // namespace occam
