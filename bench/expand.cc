// Expands a grid of 1,000,000 points: how long it takes, and the memory of the whole program.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>

#include "experiments/spec.h"

namespace {

// 10 classes x 5 seeds x 5 x 4 x 10 x 10 x 10.
const char* const kSpec = R"({
  "name": "million", "trial": {"dataset": "fashion-mnist", "epochs": 20},
  "grid": {"class": "all", "seed": [1, 2, 3, 4, 5], "batch_size": [16, 32, 64, 128, 256],
           "augmentations": ["none", "hflip", "cnr0.5+hflip",
                             "cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2"],
           "temperature": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
           "learning_rate": [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1],
           "weight_decay": [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4, 9e-4, 1e-3]}
})";

}  // namespace

int main() {
  const auto began = std::chrono::steady_clock::now();
  const occam::Expansion expansion = occam::expand(occam::parse_spec(kSpec, "million.json"));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} trials in {:.2f} s, {} MiB at most\n", expansion.trials.size(), seconds,
             usage.ru_maxrss / 1024);
  return expansion.trials.size() == 1'000'000 ? 0 : 1;
}
