#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "experiments/evaluation.h"

namespace occam {

// What a trial left behind to be scored again without training: the manifest kept.json of the
// folder <DB>.kept/<trial>. Beside it lie the features as .npy files in C order,
// <part>.<features>.npy with part train, test or validation, and of the latter two is_outlier
// (uint8) and rows (int64, where each row stands in its part of the data set); weights.npy and
// statistics.npy where weights are kept.
struct Kept {
  struct Part {
    std::int64_t rows = 0;           // first ones of the seed's order
    std::int64_t of = 0;             // that there are
    std::vector<Features> features;  // that are kept of them
  };
  struct File {
    std::int64_t bytes;
    std::string xxh3;  // 16 hex digits
  };
  std::string trial, data;  // its id and the digest of the data set
  std::string build;        // that trained
  double train_seconds = 0;
  std::int64_t steps = 0;
  std::string collapsed;  // as in Outcome
  Part train, test, validation;
  std::map<std::string, File> files;  // by name
};

inline constexpr const char* kKeptManifest = "kept.json";
inline constexpr const char* kWeightsFile = "weights.npy";
// Each image's scores, beside it: a line an image, its part, its row there and whether it is an
// outlier, then a column a score, higher = more anomalous.
inline constexpr const char* kScoresFile = "scores.csv";

nlohmann::json to_json(const Kept& kept);
// Throws Error for what is no manifest.
Kept kept_from_json(const nlohmann::json& text);

// Whether the kept features answer the request; `pixels` are the data set's and need none.
bool suffices(const Kept& kept, const EvaluationRequest& request);

// The files that answer the requests.
std::set<std::string> files_for(const std::vector<EvaluationRequest>& requests);
std::string kept_file(const std::string& part, Features features);

}  // namespace occam
