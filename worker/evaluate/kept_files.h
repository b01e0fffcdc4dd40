#pragma once

#include <torch/types.h>

#include <filesystem>
#include <vector>

#include "experiments/kept.h"
#include "worker/evaluate/evaluate.h"
#include "worker/evaluate/features.h"
#include "worker/model/network.h"

namespace occam {

// What is known of a training beside its features.
struct KeptTraining {
  std::string trial, data, build;
  double train_seconds;
  std::int64_t steps;
  std::string collapsed;
};

// Writes the features, and the network's weights where there is a network, with the manifest of
// experiments/kept.h, replacing what the folder held. Written beside and renamed: a reader sees a
// whole folder. `data` says how many rows there are beyond those that were extracted.
void write_kept(const std::filesystem::path& folder, const KeptTraining& training,
                const TrialFeatures& features, const OneClassData& data, Network* network);

// The folder's features that the requests need, on the device, and its manifest. The size and
// checksum of each file of theirs are checked; throws Error naming the file.
struct KeptFeatures {
  Kept manifest;
  TrialFeatures features;
};
KeptFeatures read_kept(const std::filesystem::path& folder,
                       const std::vector<EvaluationRequest>& requests, torch::Device device);

// scores.csv of the folder, which is made: one line an image with its split, its row there
// (0-based), whether it is an outlier, and its score under every request of its split, higher =
// more anomalous; a score that the request left out (test_limit) is empty.
void write_scores(const std::filesystem::path& folder, const TrialFeatures& features,
                  const std::vector<ScoredRequest>& answers);

}  // namespace occam
