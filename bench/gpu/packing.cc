// Images a second of one kind of trial, several at once on one GPU, as occam-worker trains them:
//   bench_packing --loss contrastive --batch 32 --precision bf16 --slots 1,4,8/4 --seconds 1.5
// Prints JSON lines (compare.py puts them beside PyTorch's), each the median of --rounds.
#include <ATen/ATen.h>
#include <cuda_runtime_api.h>
#include <torch/types.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <boost/program_options.hpp>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "bench/gpu/kernel_times.h"
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
                  [](const std::string& text) { std::cerr << text; });
  std::atomic<int> next{0};
  const int together = std::min(slots, trials);  // as of a worker to which they come at once
  std::atomic<int> running{together};
  std::vector<std::thread> threads;
  std::vector<torch::Tensor> parameters(static_cast<std::size_t>(trials));
  const Clock::time_point began = Clock::now();
  for (int slot = 0; slot < together; ++slot)
    threads.emplace_back([&] {
      for (int i = next++; i < trials; i = next++) {
        Trial mine = trial;
        mine.seed = i + 1;
        const double share = 1.0 / slots;
        std::unique_ptr<Bench> bench = benches.take(mine, share, running);
        bench->enter_training();
        const Training training =
            train_moving(mine, images, bench, {}, {},
                         benches.moves(mine, share, [&] { return running.load(); }));
        parameters[static_cast<std::size_t>(i)] = training.network->flat().cpu();
        benches.give_back(std::move(bench));
      }
      --running;
    });
  for (std::thread& thread : threads) thread.join();
  const double seconds = seconds_since(began);
  const torch::Tensor all = at::cat(parameters);
  return {seconds, XXH3_64bits(all.const_data_ptr(), all.nbytes())};
}

void show_kernels(const Trial& trial, const torch::Tensor& images, int slots, int parts,
                  bool in_order) {
  constexpr int kSteps = 40;
  std::barrier ready(slots + 1);
  std::vector<std::thread> threads;
  for (int slot = 0; slot < slots; ++slot)
    threads.emplace_back([&, slot] {
      Bench bench(torch::Device(torch::kCUDA, 0), {slot % parts, parts});
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
    });
  ready.arrive_and_wait();
  ready.arrive_and_wait();
  print_kernel_times(kSteps * slots, in_order, [&] {
    ready.arrive_and_wait();
    ready.arrive_and_wait();
  });
  for (std::thread& thread : threads) thread.join();
}

int run(int count, char** words) {
  std::string loss, batches, precision, slots_list;
  double seconds;
  int rounds, trials, channels;
  bool help, deterministic, kernels, in_order;
  Trial trial;
  po::options_description options(
      "bench_packing [OPTIONS]: images a second of trainings that share a GPU, a line of JSON "
      "each");
  options.add_options()("help,h", po::bool_switch(&help), "");
  options.add_options()("loss", po::value(&loss)->default_value("contrastive"), "")(
      "batch", po::value(&batches)->default_value("32"), "comma-separated")(
      "precision", po::value(&precision)->default_value("bf16"), "")(
      "slots", po::value(&slots_list)->default_value("1,8"),
      "comma-separated; 8/4 is eight on four parts of the GPU")(
      "seconds", po::value(&seconds)->default_value(1.5), "of a round")(
      "rounds", po::value(&rounds)->default_value(3), "whose median is printed")(
      "head-layers", po::value(&trial.head_layers)->default_value(8), "")(
      "channels", po::value(&channels)->default_value(3), "of the images, which are 32 x 32");
  options.add_options()("deterministic", po::bool_switch(&deterministic), "");
  options.add_options()(
      "trials", po::value(&trials)->default_value(0),
      "instead: so many whole trainings of --epochs over the slots, in seconds, and a "
      "digest of their parameters")("epochs", po::value(&trial.epochs)->default_value(20), "");
  options.add_options()("kernels", po::bool_switch(&kernels),
                        "instead: where the GPU's time goes in a step")(
      "in-order", po::bool_switch(&in_order), "with it: each kernel of a step");
  po::variables_map given;
  po::store(po::parse_command_line(count, words, options), given);
  po::notify(given);
  if (help) {
    std::cout << options;
    return 0;
  }
  if (deterministic) set_deterministic();
  trial.loss = from_name<Loss>(loss);
  trial.precision = from_name<Precision>(precision);
  if (trial.loss == Loss::contrastive)
    trial.distribution_augmentation = DistributionAugmentation::rotation;
  torch::manual_seed(1);  // so that a digest means something
  const torch::Tensor images = at::randint(0, 256, {6000, channels, 32, 32}, torch::kUInt8);
  std::istringstream batch_list(batches);
  for (std::string batch; std::getline(batch_list, batch, ',');) {
    trial.batch_size = std::stol(batch);
    std::istringstream list(slots_list);
    for (std::string slots; std::getline(list, slots, ',');) {
      const std::size_t slash = slots.find('/');
      const int parts = slash == std::string::npos ? 1 : std::stoi(slots.substr(slash + 1));
      if (trials > 0) {
        const Trained trained =
            train_all(canonical(trial), images, trials, std::stoi(slots), parts);
        std::cout << nlohmann::ordered_json{{"loss", loss},
                                            {"batch", trial.batch_size},
                                            {"trials", trials},
                                            {"epochs", trial.epochs},
                                            {"slots", slots},
                                            {"seconds", trained.seconds},
                                            {"parameters", trained.parameters},
                                            {"build", OCCAM_NUMERIC_DIGEST}}
                         .dump()
                  << std::endl;
        continue;
      }
      if (kernels) {
        std::cout << loss << " batch " << batch << " " << precision << " slots " << slots
                  << std::endl;
        show_kernels(trial, images, std::stoi(slots), parts, in_order);
        continue;
      }
      const PackedRate rate =
          packed_rate(trial, images, {torch::kCUDA, 0}, std::stoi(slots), parts, seconds, rounds);
      std::cout << nlohmann::ordered_json{{"loss", loss},
                                          {"batch", trial.batch_size},
                                          {"precision", precision},
                                          {"slots", slots},
                                          {"images_per_second",
                                           std::llround(rate.images_per_second)},
                                          {"build_seconds", rate.build_seconds},
                                          {"build", OCCAM_NUMERIC_DIGEST}}
                       .dump()
                << std::endl;
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(count, words);
  } catch (const std::exception& problem) {
    std::cerr << "bench_packing: " << problem.what() << "; see --help" << std::endl;
    return 1;
  }
}
