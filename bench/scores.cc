// Times every classifier on kept features: bench_scores FOLDER THREADS prints {"kde": seconds, …,
// "peak_mib": …} for train.pool.npy and test.pool.npy of the folder. bench/scores.py compares.
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/npy.h"

int main(int count, char** words) {
  using namespace occam;
  using Clock = std::chrono::steady_clock;
  if (count != 3) {
    std::cerr << "bench_scores FOLDER THREADS\n";
    return 2;
  }
  at::set_num_threads(std::atoi(words[2]));
  const std::filesystem::path folder = words[1];
  const torch::Tensor train = read_npy(folder / "train.pool.npy");
  const torch::Tensor test = read_npy(folder / "test.pool.npy");
  const auto seconds_since = [](Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
  };
  nlohmann::json taken;
  const Clock::time_point began = Clock::now();
  OneClassScorer scorer(train, test);
  taken["preparing"] = seconds_since(began);
  // The first to need the distances pays for them; the others share them, as in a trial.
  for (const Classifier classifier : {Classifier::nearest, Classifier::kde, Classifier::gde,
                                      Classifier::oc_svm_rbf, Classifier::oc_svm_linear}) {
    const Clock::time_point start = Clock::now();
    scorer.score(classifier, {});
    taken[to_string(classifier)] = seconds_since(start);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  taken["peak_mib"] = usage.ru_maxrss / 1024;
  std::cout << taken.dump() << "\n";
  return 0;
}
