#include "results/report/trial_data.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "results/figure/curves.h"
#include "results/result_field.h"
#include "results/sql_text.h"

namespace occam {
namespace {

using nlohmann::json;
constexpr std::size_t kCurvePoints = 60;

// To some digits, which halves the file.
json rounded(double value, double unit) {
  if (!std::isfinite(value)) return nullptr;
  return std::round(value / unit) * unit;
}
json rate(const json& value) {
  return value.is_number() ? json(std::round(value.get<double>() * 1e6) / 1e6) : json();
}

json curve_of(const std::vector<CurvePoint>& curve) {
  json points = json::array();
  const std::size_t stride = (curve.size() + kCurvePoints - 1) / kCurvePoints;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (i % stride != 0 && i + 1 != curve.size()) continue;
    points.push_back({curve[i].epoch, rounded(curve[i].loss, 1.0 / 8192),
                      rounded(curve[i].accuracy, 1.0 / 8192)});
  }
  return points;
}

// Each row as an object, collected by its first column, the trial.
std::map<std::string, json> by_trial(const Store& store, const std::string& sql) {
  std::map<std::string, json> all;
  std::vector<std::string> columns;
  store.query(
      sql, [&](const std::vector<std::string>& names) { columns = names; },
      [&](const Row& row) {
        json object;
        for (std::size_t i = 1; i < row.size(); ++i)
          if (!row[i].is_null() && row[i] != "") object[columns[i]] = row[i];
        all[row[0].get<std::string>()].push_back(std::move(object));
      });
  return all;
}

struct Scored {
  std::vector<std::string> names;
  std::map<std::string, json> scores;
};

std::string name_of(const std::string& features, const std::string& classifier,
                    const std::string& parameters) {
  return features + " " + classifier +
         (parameters == "{}" ? "" : " " + in_words("parameters", parameters));
}

Scored scores_of(const Store& store, const SweepResults& results) {
  const std::string& sweep = results.name;
  Scored all;
  std::map<std::string, std::size_t> index;
  for (const EvaluationRequest& request : results.requests) {
    all.names.push_back(name_of(to_string(request.features), to_string(request.classifier),
                                parameters_text(request)));
    index.emplace(all.names.back(), all.names.size() - 1);
  }
  store.query(
      "SELECT trial, features, classifier, parameters, split, auroc, average_precision, fpr95, "
      "outliers, inliers, seconds FROM results WHERE sweep = " +
          sql_text(sweep) +
          " AND auroc IS NOT NULL ORDER BY split, features, classifier, parameters",
      [](const std::vector<std::string>&) {},
      [&](const Row& row) {
        std::string name = name_of(row[1], row[2], row[3]);
        if (row[4] != "test") name += " (" + row[4].get<std::string>() + ")";
        const auto [place, is_new] = index.emplace(name, all.names.size());
        if (is_new) all.names.push_back(name);
        all.scores[row[0].get<std::string>()].push_back({place->second, rate(row[5]), rate(row[6]),
                                                         rate(row[7]), row[8], row[9],
                                                         rate(row[10])});
      });
  return all;
}

}  // namespace

TrialData trial_data(const Store& store, const SweepResults& results) {
  const std::string& sweep = results.name;
  TrialData data;
  const auto rows =
      store.query("SELECT * FROM trials WHERE sweep = " + sql_text(sweep) + " ORDER BY position");
  std::vector<std::size_t> varying;
  std::size_t id = 0;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    const std::string& column = rows.columns[i];
    if (column == "trial") id = i;
    if (column == "trial" || column == "sweep" || column == "position") continue;
    const bool differs = std::any_of(rows.values.begin(), rows.values.end(), [&](const Row& row) {
      return row[i] != rows.values.front()[i];
    });
    if (differs || column == "state") {
      varying.push_back(i);
      data.varying.push_back(column);
    } else if (!rows.values.empty()) {
      data.constant[column] = rows.values.front()[i];
    }
  }

  const std::string of_sweep =
      " JOIN sweep_trial s ON s.trial = x.trial WHERE s.sweep = " + sql_text(sweep);
  const auto attempts = by_trial(
      store,
      "SELECT x.trial, number, state, host, device, build, revision, libraries, deterministic, "
      "started_at, ended_at, error FROM attempt x" +
          of_sweep + " ORDER BY x.trial, number");
  const auto outcomes = by_trial(
      store,
      "SELECT x.trial, attempt, status, error, train_seconds, evaluate_seconds, steps, data, "
      "recorded_at FROM outcome x" +
          of_sweep + " AND retired_at IS NULL");
  Scored scored = scores_of(store, results);
  const Curves curves = read_curves(store, sweep);
  data.scores = scored.names;
  data.trials = json::array();
  for (const Row& row : rows.values) {
    const std::string trial = row[id];
    json one{{"id", trial}, {"row", json::array()}};
    for (const std::size_t column : varying) one["row"].push_back(row[column]);
    if (auto found = scored.scores.find(trial); found != scored.scores.end()) {
      std::sort(found->second.begin(), found->second.end());
      one["scores"] = std::move(found->second);
    }
    if (const auto found = attempts.find(trial); found != attempts.end())
      one["attempts"] = found->second;
    if (const auto found = outcomes.find(trial); found != outcomes.end())
      one["outcome"] = found->second.front();
    if (const auto found = curves.find(trial); found != curves.end())
      one["curve"] = curve_of(found->second);
    data.trials.push_back(std::move(one));
  }
  return data;
}

}  // namespace occam
