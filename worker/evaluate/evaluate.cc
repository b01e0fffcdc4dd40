#include "worker/evaluate/evaluate.h"

#include <torch/types.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "experiments/error.h"
#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/metrics.h"
#include "worker/model/precision.h"

namespace occam {
namespace {

const torch::Tensor& chosen(const ExtractedFeatures& extracted, const torch::Tensor& pixels,
                            Features features) {
  switch (features) {
    case Features::pool:
      return extracted.pool;
    case Features::embed:
      return extracted.embed;
    case Features::logit:
      return extracted.logit;
    case Features::pixels:
      return pixels;
  }
  throw std::logic_error("unknown features");
}

// What requests must have in common for one pass over the rows to answer them.
struct Seen {
  Features features;
  Split split;
  std::int64_t rows;
  bool operator==(const Seen&) const = default;
};

Seen seen_by(const EvaluationRequest& request, const TrialFeatures& features) {
  const auto rows = static_cast<std::int64_t>(features.of(request.split).rows.size());
  return {request.features, request.split, rows_scored(request, rows)};
}

Scores rotation_scores_by(Classifier classifier, const torch::Tensor& log_probabilities) {
  const double began = steady_seconds();
  std::vector<double> scores = classifier == Classifier::rotation
                                   ? rotation_scores(log_probabilities)
                                   : rotation_upright_scores(log_probabilities.select(1, 0));
  return {std::move(scores), steady_seconds() - began};
}

std::vector<Scores> score(const TrialFeatures& features, const Seen& seen,
                          std::span<const EvaluationRequest> requests,
                          const std::function<void()>& on_part) {
  const HeldOutFeatures& held = features.of(seen.split);
  const torch::Tensor rows =
      chosen(held.network, held.pixels, seen.features).narrow(0, 0, seen.rows);
  if (seen.features == Features::logit) {
    std::vector<Scores> all;
    for (const EvaluationRequest& request : requests) {
      all.push_back(rotation_scores_by(request.classifier, rows));
      on_part();
    }
    return all;
  }
  std::vector<ChosenClassifier> classifiers;
  for (const EvaluationRequest& request : requests)
    classifiers.push_back({request.classifier, request.parameters});
  return one_class_scores(chosen(features.train, features.train_pixels, seen.features), rows,
                          classifiers, on_part);
}

// An RBF's kernel that is 0 between all test and train rows tells nothing apart, and would rate as
// chance. Features that are all the same have a kernel of 1.
void check_reach(const EvaluationRequest& request, const std::vector<double>& scores) {
  if (request.classifier == Classifier::oc_svm_rbf &&
      std::all_of(scores.begin(), scores.end(), [](double score) { return score == 0; }))
    throw Error("with " + parameters_text(request) +
                " all scores are the same, 0: its kernel is too narrow for any test row to be near "
                "a train row; a smaller gamma_scale makes it wider");
}

ScoredRequest rated(const EvaluationRequest& request, Scores scores,
                    const std::vector<std::uint8_t>& all_outliers) {
  const std::vector<std::uint8_t> is_outlier(
      all_outliers.begin(),
      all_outliers.begin() + static_cast<std::ptrdiff_t>(scores.of_rows.size()));
  const Metrics metrics = rate(scores.of_rows, is_outlier);
  check_reach(request, scores.of_rows);
  const std::int64_t outliers = std::count(is_outlier.begin(), is_outlier.end(), 1);
  return {{request, metrics.auroc, metrics.average_precision, metrics.fpr95, outliers,
           static_cast<std::int64_t>(is_outlier.size()) - outliers, scores.seconds},
          std::move(scores.of_rows)};
}

// What `work` makes; its errors say of what.
template <class Work>
auto naming(const std::string& what, Work work) {
  try {
    return work();
  } catch (const Error& problem) {
    throw Error(what + ": " + problem.what());
  }
}

}  // namespace

std::vector<ScoredRequest> evaluate(const TrialFeatures& features,
                                    const std::vector<EvaluationRequest>& requests,
                                    const std::function<void(std::int64_t)>& on_part) {
  const PrecisionScope exact(Precision::fp32);  // scores, whatever the network ran in
  std::int64_t parts = 0;
  std::vector<ScoredRequest> answers;
  // Those that see the same stand together in a spec.
  for (auto first = requests.begin(); first != requests.end();) {
    const Seen seen = seen_by(*first, features);
    const auto last = std::find_if(first, requests.end(), [&](const EvaluationRequest& request) {
      return seen_by(request, features) != seen;
    });
    std::vector<Scores> scores = naming(to_string(seen.features), [&] {
      return score(features, seen, {first, last}, [&] { on_part(++parts); });
    });
    for (auto of = scores.begin(); first != last; ++first, ++of)
      answers.push_back(naming(to_string(seen.features) + ", " + to_string(first->classifier), [&] {
        return rated(*first, std::move(*of), features.of(seen.split).is_outlier);
      }));
  }
  return answers;
}

}  // namespace occam
