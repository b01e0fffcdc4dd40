#include "experiments/evaluation.h"

#include <algorithm>

#include "experiments/number.h"
#include "experiments/received_json.h"

namespace occam {

using nlohmann::json;

template <>
std::span<const std::string_view> names_of<Features>() {
  static constexpr std::string_view names[] = {"pool", "embed", "pixels", "logit"};
  return names;
}
template <>
std::span<const std::string_view> names_of<Classifier>() {
  static constexpr std::string_view names[] = {
      "oc-svm-rbf", "oc-svm-linear", "kde", "gde", "nearest", "rotation", "rotation-upright"};
  return names;
}

template <>
std::span<const std::string_view> names_of<Split>() {
  static constexpr std::string_view names[] = {"test", "validation"};
  return names;
}

bool applies(const EvaluationRequest& request, const Trial& trial) {
  switch (request.features) {
    case Features::pool:
    case Features::pixels:
      return true;
    case Features::embed:
      return trial.loss != Loss::rotation || trial.head_layers > 0;
    case Features::logit:
      return trial.loss == Loss::rotation;
  }
  throw std::logic_error("unknown features");
}

std::vector<EvaluationRequest> applicable(const std::vector<EvaluationRequest>& requests,
                                          const Trial& trial) {
  std::vector<EvaluationRequest> some;
  std::copy_if(requests.begin(), requests.end(), std::back_inserter(some),
               [&](const EvaluationRequest& request) { return applies(request, trial); });
  if (!trial.validation) return some;
  const std::size_t count = some.size();
  for (std::size_t i = 0; i < count; ++i) {
    some.push_back(some[i]);
    some.back().split = Split::validation;
  }
  return some;
}

std::int64_t held_out_rows(const Trial& trial, Split split) {
  const auto task = task_facts(trial);
  return split == Split::test ? task.test_rows : 2 * validation_inliers(trial, task.train_rows);
}

std::int64_t rows_scored(const EvaluationRequest& request, std::int64_t rows) {
  const std::int64_t limit = request.split == Split::test ? request.parameters.test_limit : 0;
  return limit > 0 ? std::min(limit, rows) : rows;
}

bool reads_logits(Classifier classifier) {
  return classifier == Classifier::rotation || classifier == Classifier::rotation_upright;
}

std::vector<std::string> parameters_of(Classifier classifier) {
  switch (classifier) {
    case Classifier::oc_svm_rbf:
      return {"nu", "gamma_scale"};
    case Classifier::oc_svm_linear:
      return {"nu"};
    case Classifier::kde:
      return {"gamma_scale"};
    case Classifier::nearest:
      return {"k"};
    case Classifier::gde:
    case Classifier::rotation:
    case Classifier::rotation_upright:
      return {};
  }
  throw std::logic_error("unknown classifier");
}

std::string parameters_text(const EvaluationRequest& request) {
  const ClassifierParameters& given = request.parameters;
  const ClassifierParameters usual;
  std::vector<std::string> parts;  // in the order of their keys
  for (const std::string& name : parameters_of(request.classifier)) {
    if (name == "gamma_scale" && given.gamma_scale != usual.gamma_scale)
      parts.push_back("\"gamma_scale\":" + shortest(given.gamma_scale));
    if (name == "k" && given.k != usual.k) parts.push_back("\"k\":" + std::to_string(given.k));
    if (name == "nu" && given.nu != usual.nu) parts.push_back("\"nu\":" + shortest(given.nu));
  }
  if (given.test_limit != usual.test_limit)
    parts.push_back("\"test_limit\":" + std::to_string(given.test_limit));
  std::sort(parts.begin(), parts.end());
  return "{" + joined(parts, ",") + "}";
}

json to_json(const EvaluationRequest& request) {
  json text{{"features", to_string(request.features)},
            {"classifier", to_string(request.classifier)},
            {"parameters", json::parse(parameters_text(request))}};
  if (request.split != Split::test) text["split"] = to_string(request.split);
  return text;
}

EvaluationRequest request_from_json(const json& text) {
  EvaluationRequest request{from_name<Features>(text_at(text, "features")),
                            from_name<Classifier>(text_at(text, "classifier")),
                            {}};
  const json parameters =
      text.contains("parameters") ? object_at(text, "parameters") : json::object();
  ClassifierParameters& into = request.parameters;
  into.test_limit = integer_at(parameters, "test_limit", into.test_limit);
  // What the classifier does not have is left out, or one request would be written in two ways.
  for (const std::string& name : parameters_of(request.classifier)) {
    if (name == "nu") into.nu = number_at(parameters, name, into.nu);
    if (name == "gamma_scale") into.gamma_scale = number_at(parameters, name, into.gamma_scale);
    if (name == "k") into.k = integer_at(parameters, name, into.k);
  }
  request.split = from_name<Split>(text_at(text, "split", to_string(request.split)));
  return request;
}

std::vector<EvaluationRequest> default_evaluations() {
  return {{Features::pool, Classifier::oc_svm_rbf, {}},
          {Features::pool, Classifier::kde, {}},
          {Features::pool, Classifier::gde, {}},
          {Features::pool, Classifier::nearest, {}}};
}

}  // namespace occam
