// Images a second of one kind of trial, several at once on one GPU, as occam-worker trains them:
//   bench_packing --loss contrastive --batch 32 --precision bf16 --slots 1,4,8 --seconds 3
#include <ATen/ATen.h>
#include <cuda_runtime_api.h>
#include <torch/types.h>

#include <barrier>
#include <boost/program_options.hpp>
#include <chrono>
#include <iostream>
#include <sstream>
#include <thread>

#include "bench/gpu/kernel_times.h"
#include "worker/model/precision.h"
#include "worker/train/training_step.h"

namespace po = boost::program_options;
using namespace occam;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

struct Rate {
  double images_per_second, build_seconds;
};

Rate measure(const Trial& trial, const torch::Tensor& images, int slots, int parts,
             double seconds) {
  std::barrier ready(slots + 1);
  std::vector<std::thread> threads;
  std::vector<double> rates(static_cast<std::size_t>(slots));
  const Clock::time_point began = Clock::now();
  for (int slot = 0; slot < slots; ++slot)
    threads.emplace_back([&, slot] {
      Bench bench(torch::Device(torch::kCUDA, 0), {slot % parts, parts});
      bench.enter_training();
      Trial mine = trial;
      mine.seed = slot + 1;
      TrainingStep& step = bench.step(mine, images);
      step.begin(mine, images, {});
      const std::int64_t steps = budget(mine).steps_per_epoch;
      const auto run = [&](double least) {
        const Clock::time_point start = Clock::now();
        std::int64_t done = 0;
        for (std::int64_t epoch = 0; seconds_since(start) < least; ++epoch) {
          step.begin_epoch(epoch, 0, 0.01);
          for (std::int64_t i = 0; i < steps && seconds_since(start) < least; ++i, ++done)
            step.run();
        }
        step.sums();
        return static_cast<double>(done * images_per_step(mine)) / seconds_since(start);
      };
      ready.arrive_and_wait();  // all are built
      run(0.5);
      ready.arrive_and_wait();
      rates[slot] = run(seconds);
      ready.arrive_and_wait();
    });
  ready.arrive_and_wait();
  const double build = seconds_since(began);
  ready.arrive_and_wait();
  ready.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (double rate : rates) sum += rate;
  return {sum, build};
}

void show_kernels(const Trial& trial, const torch::Tensor& images, int slots, int parts) {
  constexpr int kSteps = 40;
  std::barrier ready(slots + 1);
  std::vector<std::thread> threads;
  for (int slot = 0; slot < slots; ++slot)
    threads.emplace_back([&, slot] {
      Bench bench(torch::Device(torch::kCUDA, 0), {slot % parts, parts});
      bench.enter_training();
      TrainingStep& step = bench.step(trial, images);
      step.begin(trial, images, {});
      for (int i = 0; i < 2; ++i) {
        step.begin_epoch(0, 0, 0.01);
        ready.arrive_and_wait();
        for (int k = 0; k < kSteps; ++k) step.run();
        step.sums();
        ready.arrive_and_wait();
      }
    });
  ready.arrive_and_wait();
  ready.arrive_and_wait();
  print_kernel_times(kSteps * slots, [&] {
    ready.arrive_and_wait();
    ready.arrive_and_wait();
  });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int count, char** words) {
  std::string loss, batches, precision, slots_list;
  double seconds;
  bool deterministic, kernels;
  Trial trial;
  po::options_description options;
  options.add_options()("loss", po::value(&loss)->default_value("contrastive"), "")(
      "batch", po::value(&batches)->default_value("32"), "comma-separated")(
      "precision", po::value(&precision)->default_value("bf16"), "")(
      "slots", po::value(&slots_list)->default_value("1,8"),
      "comma-separated; 8/4 is eight on four parts of the GPU")(
      "seconds", po::value(&seconds)->default_value(3), "")(
      "head-layers", po::value(&trial.head_layers)->default_value(8), "");
  options.add_options()("deterministic", po::bool_switch(&deterministic), "");
  options.add_options()("kernels", po::bool_switch(&kernels),
                        "instead: where the GPU's time goes in a step");
  po::variables_map given;
  po::store(po::parse_command_line(count, words, options), given);
  po::notify(given);
  if (deterministic) set_deterministic();
  trial.loss = from_name<Loss>(loss);
  trial.precision = from_name<Precision>(precision);
  if (trial.loss == Loss::contrastive)
    trial.distribution_augmentation = DistributionAugmentation::rotation;
  const torch::Tensor images = at::randint(0, 256, {6000, 1, 32, 32}, torch::kUInt8);
  std::istringstream batch_list(batches);
  for (std::string batch; std::getline(batch_list, batch, ',');) {
    trial.batch_size = std::stol(batch);
    std::istringstream list(slots_list);
    for (std::string slots; std::getline(list, slots, ',');) {
      const std::size_t slash = slots.find('/');
      const int parts = slash == std::string::npos ? 1 : std::stoi(slots.substr(slash + 1));
      if (kernels) {
        std::cout << loss << " batch " << batch << " " << precision << " slots " << slots
                  << std::endl;
        show_kernels(trial, images, std::stoi(slots), parts);
        continue;
      }
      const Rate rate = measure(trial, images, std::stoi(slots), parts, seconds);
      std::cout << loss << " batch " << batch << " " << precision << " slots " << slots << " parts "
                << parts << ": " << static_cast<std::int64_t>(rate.images_per_second)
                << " images/s (built in " << rate.build_seconds << " s)" << std::endl;
    }
  }
}
