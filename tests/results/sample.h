#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "results/store.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

namespace occam {

// A folder for databases.
class StoreTest : public testing::Test {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  std::string path_ = (folder_ / "occam.db").string();
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

// The first value of the first row, as text.
inline std::string cell_of(const Store& store, const std::string& sql) {
  const auto rows = store.texts(sql);
  return rows.empty() ? "no row" : rows[0][0].value_or("null");
}

}  // namespace occam
