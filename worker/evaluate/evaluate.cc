#include "worker/evaluate/evaluate.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "worker/evaluate/classifiers.h"
#include "worker/evaluate/extract.h"
#include "worker/evaluate/metrics.h"
#include "worker/model/precision.h"

namespace occam {
namespace {

bool any_features(const std::vector<EvaluationRequest>& requests, auto... wanted) {
  return std::any_of(requests.begin(), requests.end(), [&](const EvaluationRequest& request) {
    return ((request.features == wanted) || ...);
  });
}

std::int64_t rows_scored(const EvaluationRequest& request, std::int64_t rows) {
  const std::int64_t limit = request.parameters.test_limit;
  return limit > 0 ? std::min(limit, rows) : rows;
}

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

}  // namespace

std::vector<Evaluation> evaluate(Network& network, const OneClassData& data,
                                 const std::vector<EvaluationRequest>& requests,
                                 const std::function<void(std::int64_t)>& on_count) {
  using Clock = std::chrono::steady_clock;
  std::int64_t rows = 0;
  for (const EvaluationRequest& request : requests)
    rows = std::max(rows, rows_scored(request, data.test.size(0)));
  const torch::Tensor test_images = data.test.narrow(0, 0, rows);

  std::int64_t count = 0;
  const auto on_images = [&](std::int64_t done) { on_count(count + done); };
  ExtractedFeatures train, test;
  if (any_features(requests, Features::pool, Features::embed))
    train = extract(network, data.train, false, on_images);
  if (train.pool.defined()) count += data.train.size(0);
  if (any_features(requests, Features::pool, Features::embed, Features::logit))
    test = extract(network, test_images, any_features(requests, Features::logit), on_images);
  if (test.pool.defined()) count += rows;
  torch::Tensor train_pixels, test_pixels;
  if (any_features(requests, Features::pixels)) {
    train_pixels = pixel_features(data.train).to(network.device());
    test_pixels = pixel_features(test_images).to(network.device());
  }

  const PrecisionScope exact(Precision::fp32);  // scores, whatever the network ran in
  // One scorer for all classifiers of the same features and rows, which stand together in a spec:
  // it holds a matrix of all distances, so there is never more than one.
  std::pair<Features, std::int64_t> scorer_of{};
  std::unique_ptr<OneClassScorer> scorer;
  std::vector<Evaluation> evaluations;
  for (const EvaluationRequest& request : requests) {
    const Clock::time_point began = Clock::now();
    const std::int64_t scored = rows_scored(request, rows);
    const torch::Tensor& features = chosen(test, test_pixels, request.features);
    std::vector<double> scores;
    if (request.classifier == Classifier::rotation) {
      scores = rotation_scores(features.narrow(0, 0, scored));
    } else if (request.classifier == Classifier::rotation_upright) {
      scores = rotation_upright_scores(features.narrow(0, 0, scored).select(1, 0));
    } else {
      if (!scorer || scorer_of != std::pair(request.features, scored)) {
        scorer.reset();
        scorer = std::make_unique<OneClassScorer>(chosen(train, train_pixels, request.features),
                                                  features.narrow(0, 0, scored));
        scorer_of = {request.features, scored};
      }
      scores = scorer->score(request.classifier, request.parameters);
    }
    const std::vector<std::uint8_t> is_outlier(data.is_outlier.begin(),
                                               data.is_outlier.begin() + scored);
    const Metrics metrics = rate(scores, is_outlier);
    const std::int64_t outliers = std::count(is_outlier.begin(), is_outlier.end(), 1);
    evaluations.push_back({request, metrics.auroc, metrics.average_precision, metrics.fpr95,
                           outliers, scored - outliers,
                           std::chrono::duration<double>(Clock::now() - began).count()});
    on_count(++count);
  }
  return evaluations;
}

}  // namespace occam
