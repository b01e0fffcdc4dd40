// sample_store FILE [SPEC] [--seeds A,B]: a finished sweep for tests of whole programs, without any
// training: the trials of the spec (else of one built in) with scores that look like real ones and
// depend on nothing but the trial. With --seeds, only those seeds' trials are done, as a shard's
// are.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>

#include "experiments/spec.h"
#include "results/store.h"

namespace occam {
namespace {

constexpr const char* kSpec = R"({
  "name": "batch-size",
  "trial": {"dataset": "fashion-mnist", "epochs": 20},
  "zip": [{"loss": ["contrastive", "rotation"], "distribution_augmentation": ["rotation", "none"]}],
  "grid": {"seed": [1, 2, 3], "class": "all", "batch_size": [8, 16, 32, 64, 128, 256]},
  "evaluate": {"features": ["pool", "embed"], "classifiers": ["oc-svm-rbf", "kde", "gde", "nearest"]},
  "tables": {"main": {"rows": "batch_size", "columns": "loss,classifier", "where": {"features": "pool"},
                      "caption": "AUROC by batch size, loss and classifier"}},
  "figures": {"classes": {"x": "class_name", "by": "loss",
                          "where": {"features": "pool", "classifier": "kde", "batch_size": 32},
                          "caption": "AUROC of each class, KDE at batch size 32"}}
})";

// In [0, 1), the same for the same text.
double noise(const std::string& text) {
  std::uint64_t state = 1469598103934665603u;
  for (const char one : text) state = (state ^ static_cast<unsigned char>(one)) * 1099511628211u;
  state ^= state >> 31;
  return static_cast<double>((state * 0x9e3779b97f4a7c15u) >> 11) / 9007199254740992.0;
}

double auroc_of(const Trial& trial, const EvaluationRequest& request) {
  const auto inlier = class_index(trial.dataset, trial.inlier);
  const double log_batch = std::log2(static_cast<double>(trial.batch_size));
  double score = 0.92 - 0.008 * std::abs(static_cast<double>(inlier) - 4);
  score -= trial.loss == Loss::rotation ? 0.004 * std::pow(log_batch - 6, 2)
                                        : 0.006 * std::pow(log_batch - 4.5, 2);
  score -= 0.012 * static_cast<double>(request.classifier) / 2;
  score -= request.features == Features::embed ? 0.03 : 0;
  const std::string where = fmt::format("{} {} {}", id_of(trial), to_string(request.features),
                                        to_string(request.classifier));
  score += 0.03 * (noise(fmt::format("seed {} {}", trial.seed, trial.batch_size)) - 0.5);
  return std::min(0.9999, score + 0.02 * (noise(where) - 0.5));
}

void record(Store& store, const PlannedTrial& planned,
            const std::vector<EvaluationRequest>& requests) {
  const Trial& trial = planned.trial;
  const std::string id = id_of(trial);
  const std::int64_t lease = store.next_lease();
  store.begin_attempt(id, lease,
                      {fmt::format("node{}", trial.seed % 2 + 1), "cpu", "sample-build",
                       "torch 2.11.0", true, "0123456789ab"});
  const std::int64_t epochs = budget(trial).epochs;
  const double start = trial.loss == Loss::rotation
                           ? std::log(4)
                           : std::log(static_cast<double>(2 * trial.batch_size));
  std::vector<Progress> curve;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const double part = static_cast<double>(epoch) / static_cast<double>(epochs);
    const double wobble = 0.1 * noise(fmt::format("{} {}", id, epoch));
    curve.push_back({id, lease, epoch, epochs, start * (0.3 + 0.7 * std::exp(-4 * part)) + wobble,
                     1 - std::exp(-3 * part) - wobble / 4, 0.01 * (1 + std::cos(M_PI * part)) / 2,
                     900 + 100 * wobble});
  }
  store.record_progress(curve);
  Outcome outcome{id,  lease,        OutcomeStatus::completed, "", {}, 60 + 10 * noise(id), 4,
                  100, "sample-data"};
  for (const EvaluationRequest& request : applicable(requests, trial))
    outcome.evaluations.push_back({request, auroc_of(trial, request), 0.98, 0.4, 9000, 1000, 0.5});
  store.record_outcome(outcome);
}

int main_or_throw(const std::vector<std::string>& words) {
  std::string path, spec_file, seeds;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--seeds" && i + 1 < words.size())
      seeds = "," + words[++i] + ",";
    else
      (path.empty() ? path : spec_file) = words[i];
  }
  if (path.empty()) throw UsageError("sample_store FILE [SPEC] [--seeds A,B]");
  const Spec spec = spec_file.empty() ? parse_spec(kSpec, "sample") : read_spec(spec_file);
  const Expansion expansion = expand(spec);
  Store store(path, Store::Mode::write);
  store.record_sweep(spec, expansion);
  for (const PlannedTrial& planned : expansion.trials)
    if (seeds.empty() || seeds.find(fmt::format(",{},", planned.trial.seed)) != std::string::npos)
      record(store, planned, expansion.evaluations[static_cast<std::size_t>(planned.evaluations)]);
  store.close();
  return 0;
}

}  // namespace
}  // namespace occam

int main(int count, char** words) {
  try {
    return occam::main_or_throw({words + 1, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "sample_store: " << problem.what() << "\n";
    return 1;
  }
}
