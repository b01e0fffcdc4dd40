// The reading half of the store.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <unordered_map>

#include "results/store.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "results/table_spec_json.h"

namespace occam {
namespace {

using SQLite::Statement;
using SQLite::Transaction;

EvaluationRequest read_request(const Statement& row, int column) {
  return request_from_json(
      {{"features", row.getColumn(column).getString()},
       {"classifier", row.getColumn(column + 1).getString()},
       {"parameters", nlohmann::json::parse(row.getColumn(column + 2).getString())}});
}

// Reads the recorded scores of one attempt.
class ScoresOfAttempt {
 public:
  explicit ScoresOfAttempt(SQLite::Database& database)
      : select_(database,
                "SELECT features, classifier, parameters, auroc, average_precision, fpr95, "
                "outliers, inliers, seconds, split FROM evaluation "
                "WHERE trial = ? AND attempt = ?") {}

  std::vector<Evaluation> of(const std::string& trial, std::int64_t attempt) {
    select_.reset();
    select_.bind(1, trial);
    select_.bind(2, attempt);
    std::vector<Evaluation> all;
    while (select_.executeStep()) {
      all.push_back({read_request(select_, 0), select_.getColumn(3).getDouble(),
                     select_.getColumn(4).getDouble(), select_.getColumn(5).getDouble(),
                     select_.getColumn(6).getInt64(), select_.getColumn(7).getInt64(),
                     select_.getColumn(8).getDouble()});
      all.back().request.split = from_name<Split>(select_.getColumn(9).getString());
    }
    return all;
  }

 private:
  Statement select_;
};

// Equal as far as the classifier uses its parameters.
bool same_score(const EvaluationRequest& a, const EvaluationRequest& b) {
  return a.split == b.split && a.features == b.features && a.classifier == b.classifier &&
         parameters_text(a) == parameters_text(b);
}

const Evaluation* find(const std::vector<Evaluation>& all, const EvaluationRequest& request) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Evaluation& one) {
    return same_score(one.request, request);
  });
  return found == all.end() ? nullptr : &*found;
}

void add_unless_there(std::vector<EvaluationRequest>& all, const EvaluationRequest& request) {
  if (std::none_of(all.begin(), all.end(),
                   [&](const EvaluationRequest& one) { return same_score(one, request); }))
    all.push_back(request);
}

// What the next attempt at a finished trial must bring.
void find_missing(TrialHistory& history, const std::vector<EvaluationRequest>& wanted,
                  const std::vector<Evaluation>& recorded) {
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(history.unrecorded),
               [&](const EvaluationRequest& one) { return find(recorded, one) == nullptr; });
  if (history.unrecorded.empty()) return;
  history.missing = wanted;
  for (const Evaluation& one : recorded) add_unless_there(history.missing, one.request);
}

std::vector<std::vector<EvaluationRequest>> request_lists(SQLite::Database& database,
                                                          const std::string& sweep) {
  std::vector<std::vector<EvaluationRequest>> lists;
  Statement select(database,
                   "SELECT list, features, classifier, parameters FROM request WHERE sweep = ? "
                   "ORDER BY list, position");
  select.bind(1, sweep);
  while (select.executeStep()) {
    const auto list = static_cast<std::size_t>(select.getColumn(0).getInt64());
    lists.resize(std::max(lists.size(), list + 1));
    lists[list].push_back(read_request(select, 1));
  }
  return lists;
}

std::vector<std::string> sweep_names(SQLite::Database& database) {
  std::vector<std::string> names;
  Statement select(database, "SELECT name FROM sweep ORDER BY number DESC");
  while (select.executeStep()) names.push_back(select.getColumn(0).getString());
  return names;
}

std::string chosen_sweep(const std::string& path, SQLite::Database& database,
                         const std::string& wanted) {
  const std::vector<std::string> names = sweep_names(database);
  if (names.empty())
    throw Error(path + ": holds no sweep yet; `occam run SPEC --db " + path + "` records one");
  if (wanted.empty()) return names.front();
  if (std::find(names.begin(), names.end(), wanted) == names.end())
    throw UsageError(path + ": holds no sweep '" + wanted + "'" + did_you_mean(wanted, names) +
                     "; it has: " + joined(names));
  return wanted;
}

constexpr const char* kPlannedTrials = R"sql(
SELECT s.position, s.trial, t.config, s.variant, s.list, o.status, o.attempt, o.data, a.build,
       o.collapsed,
       (SELECT state FROM attempt l WHERE l.trial = s.trial AND l.forgiven_at IS NULL
        ORDER BY number DESC LIMIT 1)
FROM sweep_trial s
JOIN trial t ON t.id = s.trial
LEFT JOIN outcome o ON o.trial = s.trial AND o.retired_at IS NULL
LEFT JOIN attempt a ON a.trial = o.trial AND a.number = o.attempt
WHERE s.sweep = ?1 AND (?2 OR s.orphaned_at IS NULL)
ORDER BY s.position)sql";

// One sweep's numbers, each from the smallest table that knows them: most trials of a large sweep
// have no attempt yet. ?1 is its name.
constexpr const char* kStatus = R"sql(
WITH mine AS MATERIALIZED (
  SELECT a.*, s.cancelled_at,
    (SELECT max(number) FROM attempt l WHERE l.trial = a.trial) AS last,
    EXISTS (SELECT 1 FROM outcome o WHERE o.trial = a.trial AND o.retired_at IS NULL) AS done
  FROM attempt a CROSS JOIN sweep_trial s ON s.sweep = ?1 AND s.trial = a.trial
  WHERE a.state != 'completed' AND s.orphaned_at IS NULL)
SELECT
  (SELECT count(*) FROM sweep_trial WHERE sweep = ?1 AND orphaned_at IS NULL),
  count(*) FILTER (WHERE o.status = 'completed'),
  count(*) FILTER (WHERE o.status = 'diverged'),
  (SELECT count(*) FROM mine WHERE number = last AND state = 'failed' AND NOT done
   AND forgiven_at IS NULL AND cancelled_at IS NULL),
  (SELECT count(*) FROM mine WHERE number = last AND state = 'running'),
  count(*) FILTER (WHERE o.collapsed != ''),
  total(o.train_seconds),
  total(o.evaluate_seconds),
  (SELECT total(max(0, julianday(a.ended_at) - coalesce(julianday(
       (SELECT max(c.continued_at) FROM attempt c WHERE c.trial = a.trial AND c.continued = a.lease)),
       julianday(a.started_at))) * 86400)
   FROM mine a WHERE a.state != 'running' AND (a.state = 'failed' OR a.number < a.last)),
  (SELECT min(a.started_at) FROM attempt a CROSS JOIN sweep_trial s
   ON s.sweep = ?1 AND s.trial = a.trial),
  max(o.recorded_at),
  (SELECT count(*) FROM sweep_trial s WHERE s.sweep = ?1 AND s.orphaned_at IS NULL
   AND s.cancelled_at IS NOT NULL AND NOT EXISTS
     (SELECT 1 FROM outcome c WHERE c.trial = s.trial AND c.retired_at IS NULL))
FROM outcome o CROSS JOIN sweep_trial s ON s.sweep = ?1 AND s.trial = o.trial
WHERE o.retired_at IS NULL AND s.orphaned_at IS NULL)sql";

}  // namespace

std::vector<TrialHistory> Store::histories(const Expansion& expansion,
                                           const std::string& sweep) const {
  return explained(path_, [&] {
    const Transaction snapshot(*database_);
    struct Finished {
      OutcomeStatus status;
      std::int64_t attempt;
    };
    std::unordered_map<std::string, Finished> finished;
    Statement outcomes(*database_,
                       "SELECT trial, status, attempt FROM outcome WHERE retired_at IS NULL");
    while (outcomes.executeStep())
      finished.emplace(outcomes.getColumn(0).getString(),
                       Finished{from_name<OutcomeStatus>(outcomes.getColumn(1).getString()),
                                outcomes.getColumn(2).getInt64()});

    std::unordered_map<std::string, TrialHistory> tried;
    Statement cancelled(
        *database_, "SELECT trial FROM sweep_trial WHERE sweep = ? AND cancelled_at IS NOT NULL");
    cancelled.bind(1, sweep);
    while (cancelled.executeStep()) tried[cancelled.getColumn(0).getString()].cancelled = true;
    Statement attempts(*database_,
                       "SELECT trial, lease, iif(forgiven_at IS NULL, state, ''), number FROM "
                       "attempt ORDER BY lease");
    while (attempts.executeStep()) {
      const std::string trial = attempts.getColumn(0).getString();
      TrialHistory& history = tried[trial];
      history.leases.push_back(attempts.getColumn(1).getInt64());
      const auto outcome = finished.find(trial);
      const bool since_outcome =
          outcome == finished.end() || attempts.getColumn(3).getInt64() > outcome->second.attempt;
      if (since_outcome && attempts.getColumn(2).getString() == to_string(AttemptState::failed))
        ++history.failed_attempts;
    }

    ScoresOfAttempt scores(*database_);
    std::vector<TrialHistory> all;
    all.reserve(expansion.trials.size());
    for (const PlannedTrial& planned : expansion.trials) {
      const std::string id = id_of(planned.trial);
      const auto known = tried.find(id);
      TrialHistory history = known == tried.end() ? TrialHistory{} : known->second;
      const auto wanted = applicable(
          expansion.evaluations[static_cast<std::size_t>(planned.evaluations)], planned.trial);
      const auto outcome = finished.find(id);
      if (outcome == finished.end()) {
        history.missing = history.unrecorded = wanted;
      } else {
        history.outcome = outcome->second.status;
        if (*history.outcome == OutcomeStatus::completed)
          find_missing(history, wanted, scores.of(id, outcome->second.attempt));
      }
      all.push_back(std::move(history));
    }
    return all;
  });
}

SweepResults Store::results(const std::string& sweep, bool orphaned) const {
  return explained(path_, [&] {
    const Transaction snapshot(*database_);
    SweepResults all;
    all.name = chosen_sweep(path_, *database_, sweep);
    Statement tables(*database_, "SELECT tables, text FROM sweep WHERE name = ?");
    tables.bind(1, all.name);
    tables.executeStep();
    all.tables = tables_from_json(tables.getColumn(0).getString());
    all.text = tables.getColumn(1).getString();
    const auto lists = request_lists(*database_, all.name);
    Statement used(*database_,
                   "SELECT DISTINCT list FROM sweep_trial WHERE sweep = ?1 AND (?2 OR orphaned_at "
                   "IS NULL) ORDER BY list");
    used.bind(1, all.name);
    used.bind(2, static_cast<int>(orphaned));
    while (used.executeStep())
      if (const auto list = static_cast<std::size_t>(used.getColumn(0).getInt64());
          list < lists.size())
        for (const EvaluationRequest& request : lists[list])
          add_unless_there(all.requests, request);

    ScoresOfAttempt scores(*database_);
    Statement planned(*database_, kPlannedTrials);
    planned.bind(1, all.name);
    planned.bind(2, static_cast<int>(orphaned));
    while (planned.executeStep()) {
      const std::int64_t position = planned.getColumn(0).getInt64();
      const std::string id = planned.getColumn(1).getString();
      const Trial trial = trial_from_json(nlohmann::json::parse(planned.getColumn(2).getString()));
      const std::string variant = planned.getColumn(3).getString();
      const auto list = static_cast<std::size_t>(planned.getColumn(4).getInt64());
      const auto wanted =
          list < lists.size() ? applicable(lists[list], trial) : std::vector<EvaluationRequest>{};
      const bool failed = planned.getColumn(10).getString() == to_string(AttemptState::failed);
      Missing missing{position, id, trial, variant, {}, failed};
      if (planned.getColumn(5).isNull()) {
        missing.evaluations = wanted;
      } else {
        const auto status = from_name<OutcomeStatus>(planned.getColumn(5).getString());
        const auto recorded = scores.of(id, planned.getColumn(6).getInt64());
        for (const EvaluationRequest& request : wanted) {
          const Evaluation* score = find(recorded, request);
          if (!score && status == OutcomeStatus::completed) {
            missing.evaluations.push_back(request);
            continue;
          }
          all.results.push_back({position, id, trial, variant, status, request,
                                 score ? std::optional(*score) : std::nullopt,
                                 planned.getColumn(8).getString(), planned.getColumn(7).getString(),
                                 planned.getColumn(9).getString()});
        }
      }
      if (!missing.evaluations.empty()) all.missing.push_back(std::move(missing));
    }
    return all;
  });
}

std::vector<SweepStatus> Store::status() const {
  return explained(path_, [&] {
    const bool alive = is_written(path_);
    std::vector<SweepStatus> all;
    Statement row(*database_, kStatus);
    for (const std::string& name : sweep_names(*database_)) {
      row.reset();
      row.bind(1, name);
      row.executeStep();
      const std::int64_t running = row.getColumn(4).getInt64();
      all.push_back({name, row.getColumn(0).getInt64(), row.getColumn(1).getInt64(),
                     row.getColumn(2).getInt64(), row.getColumn(3).getInt64(), alive ? running : 0,
                     row.getColumn(5).getInt64(), alive ? 0 : running, row.getColumn(6).getDouble(),
                     row.getColumn(7).getDouble(), row.getColumn(8).getDouble(),
                     row.getColumn(9).getString(), row.getColumn(10).getString(),
                     row.getColumn(11).getInt64()});
    }
    return all;
  });
}

std::vector<std::string> Store::sweeps() const {
  return explained(path_, [&] { return sweep_names(*database_); });
}

}  // namespace occam
