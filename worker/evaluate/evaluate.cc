#include "worker/evaluate/evaluate.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <tuple>

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

// One scorer for all classifiers of the same features and rows, which stand together in a spec: it
// holds a matrix of all distances, so there is never more than one.
class Scorers {
 public:
  explicit Scorers(const TrialFeatures& features) : features_(features) {}

  std::vector<double> score(const EvaluationRequest& request) {
    const HeldOutFeatures& held = features_.of(request.split);
    const torch::Tensor& all = chosen(held.network, held.pixels, request.features);
    const std::int64_t rows = rows_scored(request, static_cast<std::int64_t>(held.rows.size()));
    if (request.classifier == Classifier::rotation) return rotation_scores(all.narrow(0, 0, rows));
    if (request.classifier == Classifier::rotation_upright)
      return rotation_upright_scores(all.narrow(0, 0, rows).select(1, 0));
    const Key key{request.features, request.split, rows};
    if (!scorer_ || key_ != key) {
      scorer_.reset();
      scorer_ = std::make_unique<OneClassScorer>(
          chosen(features_.train, features_.train_pixels, request.features),
          all.narrow(0, 0, rows));
      key_ = key;
    }
    return scorer_->score(request.classifier, request.parameters);
  }

 private:
  using Key = std::tuple<Features, Split, std::int64_t>;
  const TrialFeatures& features_;
  Key key_{};
  std::unique_ptr<OneClassScorer> scorer_;
};

}  // namespace

std::vector<ScoredRequest> evaluate(const TrialFeatures& features,
                                    const std::vector<EvaluationRequest>& requests,
                                    const std::function<void(std::int64_t)>& on_count) {
  using Clock = std::chrono::steady_clock;
  const PrecisionScope exact(Precision::fp32);  // scores, whatever the network ran in
  Scorers scorers(features);
  std::vector<ScoredRequest> answers;
  for (const EvaluationRequest& request : requests) {
    const Clock::time_point began = Clock::now();
    try {
      std::vector<double> scores = scorers.score(request);
      const auto& all = features.of(request.split).is_outlier;
      const std::vector<std::uint8_t> is_outlier(
          all.begin(), all.begin() + static_cast<std::ptrdiff_t>(scores.size()));
      const Metrics metrics = rate(scores, is_outlier);
      const std::int64_t outliers = std::count(is_outlier.begin(), is_outlier.end(), 1);
      answers.push_back({{request, metrics.auroc, metrics.average_precision, metrics.fpr95,
                          outliers, static_cast<std::int64_t>(scores.size()) - outliers,
                          std::chrono::duration<double>(Clock::now() - began).count()},
                         std::move(scores)});
    } catch (const Error& problem) {
      throw Error(to_string(request.features) + ", " + to_string(request.classifier) + ": " +
                  problem.what());
    }
    on_count(static_cast<std::int64_t>(answers.size()));
  }
  return answers;
}

}  // namespace occam
