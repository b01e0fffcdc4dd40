// Times every classifier on kept features: bench_scores FOLDER THREADS [cpu|cuda] prints {"kde":
// seconds, …, "peak_mib": …} for train.pool.npy and test.pool.npy of the folder, CPU seconds on a
// CPU and seconds by the clock on a GPU. bench/scores.py compares.
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/cuda.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/npy.h"
#include "worker/model/precision.h"

namespace {

using namespace occam;

double now(torch::Device device) {
  if (device.is_cpu()) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  torch::cuda::synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The first to need what several share pays for it, as in a trial.
nlohmann::json time_all(const torch::Tensor& train, const torch::Tensor& test) {
  std::vector<ChosenClassifier> classifiers;
  for (const Classifier classifier : {Classifier::nearest, Classifier::kde, Classifier::gde,
                                      Classifier::oc_svm_rbf, Classifier::oc_svm_linear})
    classifiers.push_back({classifier, {}});
  const std::vector<Scores> scores = one_class_scores(
      train, test, classifiers, [] {}, [&] { return now(train.device()); });
  nlohmann::json taken;
  for (std::size_t i = 0; i < classifiers.size(); ++i)
    taken[to_string(classifiers[i].classifier)] = scores[i].seconds;
  return taken;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3 && count != 4) {
    std::cerr << "bench_scores FOLDER THREADS [cpu|cuda]\n";
    return 2;
  }
  at::set_num_threads(std::atoi(words[2]));
  const torch::Device device(count == 4 ? words[3] : "cpu");
  const PrecisionScope exact(Precision::fp32);  // as a worker scores
  const std::filesystem::path folder = words[1];
  const torch::Tensor train = read_npy(folder / "train.pool.npy").to(device);
  const torch::Tensor test = read_npy(folder / "test.pool.npy").to(device);
  // A GPU loads its libraries when they are first called.
  if (!device.is_cpu()) time_all(train.narrow(0, 0, 64), test.narrow(0, 0, 64));
  nlohmann::json taken = time_all(train, test);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  taken["peak_mib"] = usage.ru_maxrss / 1024;
  std::cout << taken.dump() << "\n";
  return 0;
}
