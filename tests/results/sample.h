#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// A folder of the test's own, gone at its end.
class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "occam-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / "occam.db").string();
  }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::filesystem::path folder_;
  std::string path_;
};

inline const EvaluationRequest kKde{Features::pool, Classifier::kde, {}};
inline const EvaluationRequest kGde{Features::pool, Classifier::gde, {}};
inline const EvaluationRequest kPixelsKde{Features::pixels, Classifier::kde, {}};

inline Trial trial(std::int64_t inlier, std::int64_t seed = 1, std::int64_t batch_size = 32) {
  Trial one;
  one.inlier = inlier;
  one.seed = seed;
  one.batch_size = batch_size;
  one.epochs = 20;
  return canonical(one);
}

inline Expansion expansion(const std::vector<Trial>& trials,
                           const std::vector<EvaluationRequest>& requests = {kKde}) {
  Expansion all;
  all.evaluations = {requests};
  all.variants = {""};
  for (const Trial& one : trials) all.trials.push_back({one, 0, 0});
  return all;
}

inline Spec spec(const std::string& name = "sweep") {
  Spec one;
  one.name = name;
  one.text = "{}";
  return one;
}

inline Evaluation evaluation(const EvaluationRequest& request, double auroc) {
  return {request, auroc, 0.5, 0.25, 100, 10, 0.125};
}

inline Outcome outcome(const Trial& of, std::int64_t lease,
                       const std::vector<Evaluation>& evaluations) {
  return {id_of(of), lease, OutcomeStatus::completed, "", evaluations, 8, 2, 100, "data-1"};
}

inline WorkerFacts worker(const std::string& build = "build-1") {
  return {"node-1", "cpu", build, "torch 2.11.0", true};
}

// Begins an attempt and gives its lease.
inline std::int64_t begin(Store& store, const Trial& of, const std::string& build = "build-1") {
  const std::int64_t lease = store.next_lease();
  store.begin_attempt(id_of(of), lease, worker(build));
  return lease;
}

template <class Step>
std::string message_of(Step&& step) {
  try {
    step();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

// The first value of the first row, as text.
inline std::string cell_of(const Store& store, const std::string& sql) {
  const auto rows = store.query(sql);
  if (rows.values.empty()) return "no row";
  const nlohmann::json& value = rows.values[0][0];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace occam
