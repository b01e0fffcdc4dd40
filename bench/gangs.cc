// One member of a gang, or trials without one, timed; bench/gangs.py starts these. Its only
// argument is JSON, its answers are lines of JSON:
//   bench_gangs '{"work": "gang", "rank": 0, "size": 1, "device": "cuda:0", "batches": [256]}'
// Rank 0 says {"ticket": …}; the others read theirs as a line of their input.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/version.h>

#include <barrier>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#ifdef OCCAM_CUDA
#include "bench/gpu/kernel_times.h"
#endif
#include "worker/data/synthetic.h"
#include "worker/device.h"
#include "worker/model/precision.h"
#include "worker/serve.h"
#include "worker/train/training_step.h"

using namespace occam;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

void say(const json& line) { std::cout << line.dump() << std::endl; }

struct Options {
  json given;
  torch::Device device = torch::kCPU;
  torch::Tensor images;

  Trial trial(std::int64_t batch) const {
    Trial trial;
    trial.loss = from_name<Loss>(given.value("loss", "contrastive"));
    trial.precision =
        from_name<Precision>(given.value("precision", device.is_cpu() ? "fp32" : "bf16"));
    if (trial.loss == Loss::contrastive)
      trial.distribution_augmentation = DistributionAugmentation::rotation;
    trial.width = given.value("width", 1.0);
    trial.depth = given.value("depth", std::int64_t{18});
    trial.learning_rate = given.value("learning_rate", 0.01);
    trial.head_layers = given.value("head_layers", trial.head_layers);
    trial.batch_size = batch;
    return trial;
  }
};

// `steps` updates from where the step is in its epochs.
class Runner {
 public:
  Runner(TrainingStep& step, const Trial& trial, const torch::Tensor& images)
      : step_(step), rate_(trial.learning_rate) {
    const std::int64_t copies =
        trial.distribution_augmentation == DistributionAugmentation::rotation ? 4 : 1;
    steps_per_epoch_ = images.size(0) * copies / trial.batch_size;
    if (steps_per_epoch_ == 0) throw Error("fewer rows than a batch");
    step_.begin(trial, images, {});
  }
  // Seconds, with the device's queue empty before and after.
  double run(std::int64_t steps) {
    if (done_ > 0) step_.sums();
    const Clock::time_point began = Clock::now();
    for (std::int64_t i = 0; i < steps; ++i, ++done_) {
      if (done_ % steps_per_epoch_ == 0) step_.begin_epoch(done_ / steps_per_epoch_, 0, rate_);
      step_.run();
    }
    step_.sums();
    return seconds_since(began);
  }

 private:
  TrainingStep& step_;
  double rate_;
  std::int64_t steps_per_epoch_, done_ = 0;
};

// Rank 0's number on all.
std::int64_t agreed(std::int64_t number, torch::Device device, Group* group) {
  if (!group) return number;
  const torch::Tensor told = torch::tensor({number}, torch::kInt64).to(device);
  group->broadcast(told);
  group->barrier();
  return told.cpu().item<std::int64_t>();
}

// Says so and waits for a line of input, so that several processes go on at the same time.
void meet_others(const std::string& ready) {
  say({{"ready", ready}});
  std::string go;
  std::getline(std::cin, go);
}

void time_step(const Options& options, std::int64_t batch, Group* group, const std::string& name,
               bool speaks) {
  const Trial trial = options.trial(batch);
  const Clock::time_point began = Clock::now();
  const std::unique_ptr<TrainingStep> step =
      make_step(trial, options.images, options.device, group);
  Runner runner(*step, trial, options.images);
  const double built = seconds_since(began);
  runner.run(3);
  const double wanted = options.given.value("seconds", 2.0);
  constexpr std::int64_t kFirst = 5;
  const double each = runner.run(kFirst) / kFirst;
  const std::int64_t steps =
      agreed(std::max<std::int64_t>(kFirst, std::llround(wanted / each)), options.device, group);
  if (options.given.value("meets", false)) meet_others(name);
  const double seconds = runner.run(steps);
  if (speaks)
    say({{"batch", batch},
         {"what", name},
         {"images_per_second", static_cast<double>(steps * images_per_step(trial)) / seconds},
         {"milliseconds", 1000 * seconds / static_cast<double>(steps)},
         {"steps", steps},
         {"build_seconds", built}});
}

#ifdef OCCAM_CUDA
// Where the time of this member's GPU goes in a step, printed by rank 0.
void show_kernels(const Options& options, std::int64_t batch, Group& group, bool speaks) {
  constexpr std::int64_t kSteps = 20;
  const Trial trial = options.trial(batch);
  const std::unique_ptr<TrainingStep> step =
      make_step(trial, options.images, options.device, &group);
  Runner runner(*step, trial, options.images);
  runner.run(kSteps);
  if (speaks)
    print_kernel_times(kSteps, false, [&] { runner.run(kSteps); });
  else
    runner.run(kSteps);
}
#endif

// The parameters after some steps, as a file of raw floats.
void train_to_file(const Options& options, Group* group, const std::string& path, bool speaks) {
  const std::int64_t steps = options.given.value("steps", std::int64_t{20});
  const Trial trial = options.trial(options.given.at("batches").at(0));
  const std::unique_ptr<TrainingStep> step =
      make_step(trial, options.images, options.device, group);
  Runner(*step, trial, options.images).run(steps);
  const torch::Tensor weights = step->network()->flat().cpu().contiguous();
  if (!speaks) return;
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(weights.data_ptr()),
             static_cast<std::streamsize>(weights.nbytes()));
  say({{"file", path}, {"steps", steps}, {"batch", trial.batch_size}});
}

std::vector<float> floats_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(path + ": cannot be read");
  std::vector<float> values(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

void compare(const std::string& first, const std::string& second) {
  const std::vector<float> a = floats_of(first), b = floats_of(second);
  if (a.size() != b.size()) throw Error(first + " and " + second + " are of different networks");
  double difference = 0, square = 0, most = 0, largest = 0;
  bool same = true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    difference += d * d;
    square += static_cast<double>(b[i]) * b[i];
    most = std::max(most, std::abs(d));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
    same = same && a[i] == b[i];
  }
  say({{"same_bits", same},
       {"relative", std::sqrt(difference / square)},
       {"most_of_largest", most / largest}});
}

void as_member(const Options& options) {
  const json& given = options.given;
  Gang gang{given.at("rank"), given.at("size"), ""};
  if (gang.rank > 0) std::getline(std::cin, gang.ticket);
  const Clock::time_point began = Clock::now();
  const std::unique_ptr<Group> group =
      make_group(options.device, gang, std::chrono::seconds(given.value("timeout", 60)));
  group->join([](const std::string& ticket) { say({{"ticket", ticket}}); });
  const bool speaks = gang.rank == 0;
  if (speaks) say({{"joined_seconds", seconds_since(began)}, {"size", gang.size}});
  if (given.contains("file")) {
    train_to_file(options, group.get(), given["file"], speaks);
#ifdef OCCAM_CUDA
  } else if (given.value("kernels", false)) {
    for (const std::int64_t batch : given.at("batches"))
      show_kernels(options, batch, *group, speaks);
#endif
  } else {
    for (const std::int64_t batch : given.at("batches"))
      time_step(options, batch, group.get(), "gang", speaks);
  }
  group->leave();
}

// Trains until a line of input asks to leave, as the thread that reads messages hears it, and then
// some steps alone: is the process still of use?
void until_asked_to_leave(const Options& options) {
  const json& given = options.given;
  Gang gang{given.at("rank"), given.at("size"), ""};
  if (gang.rank > 0) std::getline(std::cin, gang.ticket);
  const Trial trial = options.trial(given.at("batches").at(0));
  Clock::time_point asked;
  {
    const std::shared_ptr<Group> group =
        make_group(options.device, gang, std::chrono::seconds(given.value("timeout", 60)));
    group->join([](const std::string& ticket) { say({{"ticket", ticket}}); });
    std::thread reader;
    try {
      const std::unique_ptr<TrainingStep> step =
          make_step(trial, options.images, options.device, group.get());
      Runner runner(*step, trial, options.images);
      runner.run(3);
      say({{"running", gang.rank}});
      reader = std::thread([&asked, group] {
        std::string line;
        std::getline(std::cin, line);
        asked = Clock::now();
        group->abort("it was asked to leave");
      });
      while (true) runner.run(64);
    } catch (const GroupBroken& problem) {
      say({{"broken", problem.what()}});
    }
    if (reader.joinable()) reader.join();
  }
  say({{"left_after_seconds", seconds_since(asked)}});
  const std::unique_ptr<TrainingStep> step = make_step(trial, options.images, options.device);
  Runner(*step, trial, options.images).run(3);
  say({{"usable", true}});
}

// `slots` trials at once without a gang, started together with other processes by a line of input.
void packed(const Options& options) {
  const int slots = options.given.value("slots", 1);
  const std::int64_t batch = options.given.at("batches").at(0);
  const double least = options.given.value("seconds", 2.0);
  std::barrier ready(slots + 1);
  std::vector<double> rates(static_cast<std::size_t>(slots));
  std::vector<std::thread> threads;
  for (int slot = 0; slot < slots; ++slot)
    threads.emplace_back([&, slot] {
      at::set_num_threads(1);
      Bench bench(options.device);
      bench.enter_training();
      Trial trial = options.trial(batch);
      trial.seed = slot + 1;
      TrainingStep& step = bench.step(trial, options.images);
      Runner runner(step, trial, options.images);
      runner.run(3);
      ready.arrive_and_wait();
      ready.arrive_and_wait();
      const Clock::time_point began = Clock::now();
      std::int64_t steps = 0;
      for (; seconds_since(began) < least; steps += 32) runner.run(32);
      rates[static_cast<std::size_t>(slot)] =
          static_cast<double>(steps * images_per_step(trial)) / seconds_since(began);
    });
  ready.arrive_and_wait();
  meet_others("packed");
  ready.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  say({{"batch", batch}, {"what", "packed"}, {"slots", slots}, {"images_per_second", sum}});
}

void run(const json& given) {
  if (given.at("work") == "compare") return compare(given.at("first"), given.at("second"));
  Options options;
  options.given = given;
  options.device = torch::Device(given.value("device", "cpu"));
  at::set_num_threads(given.value("threads", 1));
  const torch::Tensor drawn = synthetic_images().train.images;
  const std::int64_t rows = given.value("rows", std::int64_t{20000});
  options.images =
      drawn.repeat({1 + rows / drawn.size(0), 1, 1, 1}).narrow(0, 0, rows).contiguous();
  if (given.value("deterministic", false)) set_deterministic();
  const Bench bench(options.device);
  bench.enter_training();
  if (given.value("rank", 0) == 0)
    say({{"device", device_name(options.device)}, {"torch", TORCH_VERSION}});
  if (given.at("work") == "gang") return as_member(options);
  if (given.at("work") == "leave") return until_asked_to_leave(options);
  if (given.at("work") == "packed") return packed(options);
  if (given.contains("file")) return train_to_file(options, nullptr, given["file"], true);
  for (const std::int64_t batch : given.at("batches"))
    time_step(options, batch, nullptr, "no gang", true);
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count != 2) throw Error("takes one JSON object; bench/gangs.py knows which");
    run(json::parse(words[1]));
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "bench_gangs: " << problem.what() << "\n  of " << (count > 1 ? words[1] : "")
              << std::endl;
    return 1;
  }
}
