// Images a second of one kind of trial, several at once on one GPU, as occam-worker trains them:
//   bench_packing --loss contrastive --batch 32 --precision bf16 --slots 1,4,8/4 --seconds 1.5
// Prints JSON lines (compare.py puts them beside PyTorch's), each the median of --rounds.
#include <ATen/ATen.h>
#include <cuda_runtime_api.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <boost/program_options.hpp>
#include <chrono>
#include <cmath>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "bench/gpu/kernel_times.h"
#include "experiments/error.h"
#include "experiments/number.h"
#include "generated/revision.h"
#include "worker/benches.h"
#include "worker/model/precision.h"
#include "worker/packing.h"
#include "worker/train/moving.h"

namespace po = boost::program_options;
using namespace occam;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

struct Trained {
  double seconds;
  std::uint64_t parameters;  // a digest of all trials'
};

// So many trials one after the other over the slots of a worker, trained and nothing else.
Trained train_all(const Trial& trial, const torch::Tensor& images, int trials, int slots,
                  int parts) {
  const torch::Device device(torch::kCUDA, 0);
  Benches benches(device, slots, parts_of(device, slots, parts),
                  [](const std::string& text) { std::cerr << text << "\n"; });
  std::atomic<int> next{0};
  const int together = std::min(slots, trials);  // as of a worker to which they come at once
  std::atomic<int> running{together};
  std::vector<torch::Tensor> parameters(static_cast<std::size_t>(trials));
  const auto train = [&] {
    for (int i = next++; i < trials; i = next++) {
      Trial mine = trial;
      mine.seed = i + 1;
      const double share = 1.0 / slots;
      std::unique_ptr<Bench> bench = benches.take(mine, share, running);
      bench->enter_training();
      const Training training = train_moving(
          mine, images, bench, {}, {}, benches.moves(mine, share, [&] { return running.load(); }));
      parameters[static_cast<std::size_t>(i)] = training.network->flat().cpu();
      benches.give_back(std::move(bench));
    }
    --running;
  };
  const Clock::time_point began = Clock::now();
  std::vector<std::future<void>> working;  // last: an error waits for all before the rest goes
  for (int slot = 0; slot < together; ++slot)
    working.push_back(std::async(std::launch::async, [&] {
      try {
        train();
      } catch (...) {
        next = trials;  // nobody begins another
        throw;
      }
    }));
  for (std::future<void>& one : working) one.get();
  const double seconds = seconds_since(began);
  const torch::Tensor all = at::cat(parameters);
  return {seconds, XXH3_64bits(all.const_data_ptr(), all.nbytes())};
}

// From the last part to the first, which may be larger than the others.
void show_kernels(const Trial& trial, const torch::Tensor& images, int slots, int parts,
                  bool in_order) {
  constexpr int kSteps = 40;
  std::barrier ready(slots + 1);
  std::atomic<bool> failed{false};
  const auto train = [&](int slot) {
    Bench bench(torch::Device(torch::kCUDA, 0), {parts - 1 - slot % parts, parts});
    bench.enter_training();
    TrainingStep& step = bench.step(trial, images);
    step.begin(trial, images, {});
    const std::int64_t of_epoch = images.size(0) / trial.batch_size;
    for (int i = 0; i < 2; ++i) {
      ready.arrive_and_wait();
      for (int k = 0; k < kSteps; ++k) {
        if (k % of_epoch == 0) step.begin_epoch(0, 0, 0.01);
        step.run();
      }
      step.sums();
      ready.arrive_and_wait();
    }
  };
  std::vector<std::future<void>> working;
  for (int slot = 0; slot < slots; ++slot)
    working.push_back(std::async(std::launch::async, [&, slot] {
      try {
        train(slot);
      } catch (...) {
        failed = true;
        ready.arrive_and_drop();
        throw;
      }
    }));
  ready.arrive_and_wait();
  ready.arrive_and_wait();
  if (failed)
    ready.arrive_and_drop();
  else
    print_kernel_times(kSteps * slots, in_order, [&] {
      ready.arrive_and_wait();
      ready.arrive_and_wait();
    });
  for (std::future<void>& one : working) one.get();
}

template <class Number>
Number number(const std::string& option, const std::string& text, Number least) {
  Number value{};
  constexpr Number most{1'000'000};
  if (!read_number(text, value) || !(value >= least && value <= most))
    throw UsageError("--" + option + " '" + text + "' is no number of " + spelled(least) + " to " +
                     spelled(most));
  return value;
}

std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream list(text);
  for (std::string one; std::getline(list, one, ',');) all.push_back(one);
  return all;
}

// "8", or "8/4": on four parts.
struct Packing {
  std::string text;
  int slots, parts;
};
Packing packing(const std::string& text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto of = [&](const std::string& digits) {
    return static_cast<int>(number<std::int64_t>("slots", digits, 1));
  };
  return {text, of(text.substr(0, slash)), slash < text.size() ? of(text.substr(slash + 1)) : 1};
}

struct Options {
  std::string loss = "contrastive", batches = "32", precision = "bf16", slots = "1,8";
  double seconds = 1.5;
  std::int64_t rounds = 3, trials = 0, channels = 3, side = 32;
  bool deterministic = false, kernels = false, in_order = false;
};

nlohmann::ordered_json measured(const Options& options, const Trial& trial,
                                const torch::Tensor& images, const Packing& on) {
  nlohmann::ordered_json found{{"loss", options.loss}, {"batch", trial.batch_size}};
  if (options.trials > 0) {
    const Trained trained =
        train_all(canonical(trial), images, static_cast<int>(options.trials), on.slots, on.parts);
    found.update({{"trials", options.trials}, {"epochs", trial.epochs}, {"slots", on.text}});
    found.update({{"seconds", trained.seconds}, {"parameters", trained.parameters}});
  } else {
    const PackedRate rate = packed_rate(trial, images, {torch::kCUDA, 0}, on.slots, on.parts,
                                        options.seconds, static_cast<int>(options.rounds));
    found.update({{"precision", options.precision}, {"slots", on.text}});
    found.update({{"images_per_second", std::llround(rate.images_per_second)},
                  {"build_seconds", rate.build_seconds}});
  }
  if (options.side != 32) found["side"] = options.side;
  found["build"] = OCCAM_NUMERIC_DIGEST;
  return found;
}

void run(const Options& options, Trial trial) {
  trial.loss = from_name<Loss>(options.loss);
  trial.precision = from_name<Precision>(options.precision);
  if (trial.loss == Loss::contrastive)
    trial.distribution_augmentation = DistributionAugmentation::rotation;
  const auto check = [](const char* option, std::int64_t value, std::int64_t least) {
    number<std::int64_t>(option, std::to_string(value), least);
  };
  check("rounds", options.rounds, 1);
  check("trials", options.trials, 0);
  check("epochs", trial.epochs, 1);
  check("head-layers", trial.head_layers, 0);
  check("side", options.side, 8);
  number<double>("seconds", spelled(options.seconds), 0.1);
  if (options.channels != 1 && options.channels != 3) throw UsageError("--channels is 1 or 3");
  constexpr std::int64_t kImages = 6000;
  std::vector<std::int64_t> batches;
  for (const std::string& batch : listed(options.batches))
    batches.push_back(number<std::int64_t>("batch", batch, 1));
  std::vector<Packing> packings;
  for (const std::string& slots : listed(options.slots)) packings.push_back(packing(slots));
  if (batches.empty() || packings.empty()) throw UsageError("--batch and --slots need a number");
  if (*std::max_element(batches.begin(), batches.end()) > kImages)
    throw UsageError("--batch is larger than the " + std::to_string(kImages) + " images");
  if (torch::cuda::device_count() == 0) throw Error("no GPU is visible here");

  if (options.deterministic) set_deterministic();
  torch::manual_seed(1);  // so that a digest means something
  const torch::Tensor images =
      at::randint(0, 256, {kImages, options.channels, options.side, options.side}, torch::kUInt8);
  for (const std::int64_t batch : batches) {
    trial.batch_size = batch;
    for (const Packing& on : packings) {
      if (!options.kernels) {
        std::cout << measured(options, trial, images, on).dump() << std::endl;
        continue;
      }
      std::cout << options.loss << " batch " << batch << " " << options.precision << " slots "
                << on.text << std::endl;
      show_kernels(trial, images, on.slots, on.parts, options.in_order);
    }
  }
}

int main_or_throw(int count, char** words) {
  bool help = false;
  Options given;
  Trial trial;
  trial.epochs = 20;
  trial.head_layers = 8;
  po::options_description options(
      "bench_packing [OPTIONS]: images a second of trainings that share a GPU, a line of JSON "
      "each");
  const auto add = [&options](const char* name, auto& value, const char* text) {
    options.add_options()(name, po::value(&value)->default_value(value), text);
  };
  const auto add_switch = [&options](const char* name, bool& value, const char* text) {
    options.add_options()(name, po::bool_switch(&value), text);
  };
  add_switch("help,h", help, "");
  add("loss", given.loss, "contrastive (with rotation DA), contrastive-symmetric or rotation");
  add("batch", given.batches, "comma-separated");
  add("precision", given.precision, "bf16, tf32 or fp32");
  add("slots", given.slots, "comma-separated; 8/4 is eight on four parts of the GPU");
  add("seconds", given.seconds, "of a round");
  add("rounds", given.rounds, "whose median is printed");
  add("head-layers", trial.head_layers, "of the projection head");
  add("channels", given.channels, "of the images");
  add("side", given.side, "of the images, pixels");
  add_switch("deterministic", given.deterministic, "the same bits whatever trains beside");
  add("trials", given.trials,
      "instead: so many whole trainings over the slots, in seconds, and a digest of their "
      "parameters");
  add("epochs", trial.epochs, "with it: of each");
  add_switch("kernels", given.kernels, "instead: where the GPU's time goes in a step");
  add_switch("in-order", given.in_order, "with it: each kernel of a step");
  po::variables_map words_given;
  try {
    po::command_line_parser parser(count, words);
    po::store(parser.options(options).positional(po::positional_options_description{}).run(),
              words_given);
    po::notify(words_given);
  } catch (const po::error& problem) {
    throw UsageError(problem.what());
  }
  if (help)
    std::cout << options;
  else
    run(given, trial);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return main_or_throw(count, words);
  } catch (const UsageError& problem) {
    std::cerr << "bench_packing: " << problem.what() << "; see --help" << std::endl;
    return 2;
  } catch (const std::exception& problem) {
    std::cerr << "bench_packing: " << problem.what() << std::endl;
    return 1;
  }
}
