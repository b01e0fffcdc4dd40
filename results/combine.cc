#include "results/combine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace occam {
namespace {

using Key = std::pair<std::string, std::string>;  // trial, score

Key key_of(const std::string& trial, const EvaluationRequest& request) {
  return {trial, to_string(request.features) + " " + to_string(request.classifier) + " " +
                     parameters_text(request) + " " + to_string(request.split)};
}

std::string numbers_of(const Result& one) {
  if (!one.evaluation) return "diverged";
  std::vector<std::string> rates;
  for (const Metric metric : kMetrics)
    rates.push_back(
        fmt::format("{} {:.17g}", printed_metric(metric), rate_of(*one.evaluation, metric)));
  return joined(rates);
}

}  // namespace

SweepResults combined(std::vector<SweepResults> sweeps, bool pool) {
  if (sweeps.size() == 1) return std::move(sweeps.front());
  SweepResults all;
  all.text = sweeps.front().text;
  std::vector<std::string> names;
  std::map<std::string, std::int64_t> positions;
  const auto position_of = [&](const std::string& trial) {
    return positions.emplace(trial, static_cast<std::int64_t>(positions.size())).first->second;
  };
  // Plans first, so that a trial's place does not depend on which database has its scores.
  for (const SweepResults& sweep : sweeps) {
    std::map<std::int64_t, std::string> plan;
    for (const Result& one : sweep.results) plan.emplace(one.position, one.trial_id);
    for (const Missing& one : sweep.missing) plan.emplace(one.position, one.trial_id);
    for (const auto& [position, trial] : plan) position_of(trial);
  }
  std::map<Key, std::pair<std::size_t, std::size_t>> known;  // sweep, place in all.results
  for (std::size_t i = 0; i < sweeps.size(); ++i) {
    SweepResults& sweep = sweeps[i];
    if (std::find(names.begin(), names.end(), sweep.name) == names.end())
      names.push_back(sweep.name);
    if (sweep.text != sweeps.front().text) all.text.clear();
    all.tables.insert(all.tables.end(), sweep.tables.begin(), sweep.tables.end());
    for (const EvaluationRequest& request : sweep.requests)
      if (std::find(all.requests.begin(), all.requests.end(), request) == all.requests.end())
        all.requests.push_back(request);
    for (Result& one : sweep.results) {
      const auto [place, is_new] =
          known.emplace(key_of(one.trial_id, one.request), std::pair{i, all.results.size()});
      if (is_new) {
        one.position = position_of(one.trial_id);
        all.results.push_back(std::move(one));
        continue;
      }
      const Result& first = all.results[place->second.second];
      if (!pool && numbers_of(first) != numbers_of(one))
        throw UsageError("trial " + one.trial_id + " has " + numbers_of(first) + " in database " +
                         std::to_string(place->second.first + 1) + " and " + numbers_of(one) +
                         " in database " + std::to_string(i + 1) + "; --pool takes the first");
    }
  }
  std::set<Key> lacking;
  for (SweepResults& sweep : sweeps)
    for (Missing& one : sweep.missing) {
      std::erase_if(one.evaluations, [&](const EvaluationRequest& request) {
        const Key key = key_of(one.trial_id, request);
        return known.count(key) > 0 || !lacking.insert(key).second;
      });
      one.position = position_of(one.trial_id);
      if (!one.evaluations.empty()) all.missing.push_back(std::move(one));
    }
  all.name = joined(names, " + ");
  return all;
}

}  // namespace occam
