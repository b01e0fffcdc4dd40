#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// What a one-class classifier sees: the pooled trunk output, the head's output, the raw pixels
// (no network: the floor to beat), or the rotation logits.
enum class Features { pool, embed, pixels, logit };
enum class Classifier { oc_svm_rbf, oc_svm_linear, kde, gde, nearest, rotation, rotation_upright };
template <>
std::span<const std::string_view> names_of<Features>();
template <>
std::span<const std::string_view> names_of<Classifier>();

// Which rows are scored: the test set, or what a trial with `validation` holds out of training.
enum class Split { test, validation };
template <>
std::span<const std::string_view> names_of<Split>();

// A classifier's parameters, each meaningful to some classifiers only (see parameters_of).
struct ClassifierParameters {
  double nu = 0.5;              // OC-SVM: upper bound on the share of train outliers
  double gamma_scale = 10;      // RBF kernel: gamma = gamma_scale / (d * variance of all entries)
  std::int64_t test_limit = 0;  // test rows scored, a subset drawn by the trial's seed; 0 is all
  std::int64_t k = 1;           // nearest: the distance to the k-th nearest train row
  bool operator==(const ClassifierParameters&) const = default;
};

// One score to compute on a trained trial.
struct EvaluationRequest {
  Features features;
  Classifier classifier;
  ClassifierParameters parameters;
  Split split = Split::test;
  bool operator==(const EvaluationRequest&) const = default;
};

// What it brought. All rates are in [0, 1], outliers are the positive class.
struct Evaluation {
  EvaluationRequest request;
  double auroc;
  double average_precision;
  double fpr95;  // false positive rate at the first threshold with at least 95 % true positives
  std::int64_t outliers, inliers;
  double seconds;
};

// False where the score has no meaning for such a trial: rotation scores on other losses, `embed`
// without a head. That is not the same as missing.
bool applies(const EvaluationRequest& request, const Trial& trial);
// Those of a spec that apply to the trial; under `validation` each of them on both splits, all of
// test first.
std::vector<EvaluationRequest> applicable(const std::vector<EvaluationRequest>& requests,
                                          const Trial& trial);

// Canonical JSON of the parameters that the classifier uses and that differ from their defaults:
// "{}", "{\"gamma_scale\":1}". What makes two evaluations of one trial distinct, beside features
// and classifier.
std::string parameters_text(const EvaluationRequest& request);

// {"features": "pool", "classifier": "kde", "parameters": {…}}, with "split": "validation" where it
// is not test, and back.
nlohmann::json to_json(const EvaluationRequest& request);
EvaluationRequest request_from_json(const nlohmann::json& text);

// What a spec's `evaluate` asks for, and the default without one: pool features with
// oc-svm-rbf, kde, gde and nearest.
std::vector<EvaluationRequest> default_evaluations();

// Rows of the trial's split, and how many of so many a request scores: of the test rows the first
// test_limit.
std::int64_t held_out_rows(const Trial& trial, Split split);
std::int64_t rows_scored(const EvaluationRequest& request, std::int64_t rows);

// The rotation scores read the network's own predictions, features `logit`, and nothing else.
bool reads_logits(Classifier classifier);

// The names that a classifier takes in a spec beside "name": "nu", "gamma_scale", "k".
std::vector<std::string> parameters_of(Classifier classifier);

}  // namespace occam
