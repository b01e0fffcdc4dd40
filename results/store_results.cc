// The reading half of the store.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "results/store.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "results/table_spec_json.h"
#include "results/tally.h"
#include "results/trial_reader.h"

namespace occam {
namespace {

using SQLite::Statement;
using SQLite::Transaction;

EvaluationRequest read_request(const std::string& features, const std::string& classifier,
                               const std::string& parameters) {
  return request_from_json({{"features", features},
                            {"classifier", classifier},
                            {"parameters", nlohmann::json::parse(parameters)}});
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
    while (select_.executeStep())
      all.push_back({request(), select_.getColumn(3).getDouble(), select_.getColumn(4).getDouble(),
                     select_.getColumn(5).getDouble(), select_.getColumn(6).getInt64(),
                     select_.getColumn(7).getInt64(), select_.getColumn(8).getDouble()});
    return all;
  }

 private:
  // Few are many trials'.
  const EvaluationRequest& request() {
    std::array<std::string, 4> name{
        select_.getColumn(0).getString(), select_.getColumn(1).getString(),
        select_.getColumn(2).getString(), select_.getColumn(9).getString()};
    const auto known = requests_.find(name);
    if (known != requests_.end()) return known->second;
    EvaluationRequest request = read_request(name[0], name[1], name[2]);
    request.split = from_name<Split>(name[3]);
    return requests_.emplace(std::move(name), request).first->second;
  }

  Statement select_;
  std::map<std::array<std::string, 4>, EvaluationRequest> requests_;
};

// Equal as far as the classifier uses its parameters.
bool same_score(const EvaluationRequest& a, const EvaluationRequest& b) {
  return a.split == b.split && a.features == b.features && a.classifier == b.classifier &&
         (a.parameters == b.parameters || parameters_text(a) == parameters_text(b));
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
    lists[list].push_back(read_request(select.getColumn(1).getString(),
                                       select.getColumn(2).getString(),
                                       select.getColumn(3).getString()));
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

// A sweep's plan: position, trial, variant, list. ?1 is the sweep, ?2 whether orphans are wanted
// too.
constexpr const char* kPlannedTrials = R"sql(
SELECT position, trial, variant, list
FROM sweep_trial
WHERE sweep = ?1 AND (?2 OR orphaned_at IS NULL)
ORDER BY position)sql";

// What the store holds of trials by their ids. They were written in a plan's order, so that the row
// behind the last one mostly is the next one that a plan asks for; only where it is not it is
// looked up.
class TrialTexts {
 public:
  explicit TrialTexts(SQLite::Database& database)
      : rows_(database, "SELECT id, config FROM trial WHERE rowid >= ? ORDER BY rowid"),
        find_(database, "SELECT rowid FROM trial WHERE id = ?") {
    rows_.bind(1, 0);
  }

  // Until the next call.
  std::string_view of(const std::string& id) {
    if (rows_.isDone() || !rows_.executeStep() || text(0) != id) {
      find_.reset();
      find_.bind(1, id);
      find_.executeStep();
      rows_.reset();
      rows_.bind(1, find_.getColumn(0).getInt64());
      rows_.executeStep();
    }
    return text(1);
  }

 private:
  std::string_view text(int column) {
    const auto value = rows_.getColumn(column);
    return {value.getText(), static_cast<std::size_t>(value.getBytes())};
  }

  Statement rows_, find_;
};

std::size_t planned_trials(SQLite::Database& database, const std::string& sweep) {
  Statement count(database, "SELECT count(*) FROM sweep_trial WHERE sweep = ?");
  count.bind(1, sweep);
  count.executeStep();
  return static_cast<std::size_t>(count.getColumn(0).getInt64());
}

struct RecordedOutcome {
  std::int64_t position;  // of its trial in the plan
  OutcomeStatus status;
  std::int64_t attempt;
  std::string data, build, collapsed;
};

// A sweep's that count, in the order of its plan. Most trials of a large sweep have none yet, so
// that a look at all outcomes costs less than one for every trial.
std::vector<RecordedOutcome> outcomes_that_count(SQLite::Database& database,
                                                 const std::string& sweep) {
  std::vector<RecordedOutcome> outcomes;
  Statement select(
      database,
      "SELECT s.position, o.status, o.attempt, o.data, a.build, o.collapsed FROM "
      "outcome o NOT INDEXED CROSS JOIN sweep_trial s ON s.sweep = ? AND s.trial = o.trial CROSS "
      "JOIN attempt a ON a.trial = o.trial AND a.number = o.attempt WHERE "
      "o.retired_at IS NULL ORDER BY s.position");
  select.bind(1, sweep);
  while (select.executeStep())
    outcomes.push_back({select.getColumn(0).getInt64(),
                        from_name<OutcomeStatus>(select.getColumn(1).getString()),
                        select.getColumn(2).getInt64(), select.getColumn(3).getString(),
                        select.getColumn(4).getString(), select.getColumn(5).getString()});
  return outcomes;
}

// Trials whose last attempt failed, and no retry took that back.
std::unordered_set<std::string> failed_trials(SQLite::Database& database) {
  std::unordered_set<std::string> failed;
  Statement select(database,
                   "SELECT a.trial FROM attempt a WHERE a.state = 'failed' AND a.forgiven_at IS "
                   "NULL AND NOT EXISTS (SELECT 1 FROM attempt l WHERE l.trial = a.trial AND "
                   "l.number > a.number AND l.forgiven_at IS NULL)");
  while (select.executeStep()) failed.insert(select.getColumn(0).getString());
  return failed;
}

// What a sweep's tally does not tell, from indexes that hold only what is rare. ?1 is its name. The
// seconds are a worker's, and a gang has several, as its attempt's device says ("2 x NVIDIA H100").
constexpr const char* kStatus = R"sql(
WITH mine AS MATERIALIZED (
  SELECT a.*, s.cancelled_at,
    (SELECT max(number) FROM attempt l WHERE l.trial = a.trial) AS last,
    EXISTS (SELECT 1 FROM outcome o WHERE o.trial = a.trial AND o.retired_at IS NULL) AS done
  FROM attempt a INDEXED BY attempt_without_outcome
  CROSS JOIN sweep_trial s ON s.sweep = ?1 AND s.trial = a.trial
  WHERE a.state != 'completed' AND s.orphaned_at IS NULL)
SELECT
  (SELECT count(*) FROM mine WHERE number = last AND state = 'failed' AND NOT done
   AND forgiven_at IS NULL AND cancelled_at IS NULL),
  (SELECT count(*) FROM mine WHERE number = last AND state = 'running'),
  (SELECT total((CAST(a.device AS INTEGER) - 1) * g.train_seconds)
   FROM attempt a INDEXED BY gang_attempt
   CROSS JOIN outcome g ON g.trial = a.trial AND g.attempt = a.number
   CROSS JOIN sweep_trial s ON s.sweep = ?1 AND s.trial = a.trial
   WHERE a.device GLOB '[1-9]* x *' AND g.retired_at IS NULL AND s.orphaned_at IS NULL),
  (SELECT total(max(0, julianday(a.ended_at) - coalesce(julianday(
       (SELECT max(c.continued_at) FROM attempt c WHERE c.trial = a.trial AND c.continued = a.lease)),
       julianday(a.started_at))) * 86400
     * CASE WHEN a.device GLOB '[1-9]* x *' THEN CAST(a.device AS INTEGER) ELSE 1 END)
   FROM mine a WHERE a.state != 'running' AND (a.state = 'failed' OR a.number < a.last)),
  (SELECT count(*) FROM sweep_trial s INDEXED BY cancelled_trial
   WHERE s.sweep = ?1 AND s.orphaned_at IS NULL AND s.cancelled_at IS NOT NULL AND NOT EXISTS
     (SELECT 1 FROM outcome c WHERE c.trial = s.trial AND c.retired_at IS NULL)),
  (SELECT count(*) FROM mine WHERE number = last AND done AND forgiven_at IS NULL))sql";

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
      const std::string id = planned.id();
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

    const std::vector<RecordedOutcome> outcomes = outcomes_that_count(*database_, all.name);
    auto outcome = outcomes.begin();
    const std::unordered_set<std::string> failed = failed_trials(*database_);
    ScoresOfAttempt scores(*database_);
    TrialTexts texts(*database_);
    TrialReader reader;
    all.results.reserve(outcomes.size() * all.requests.size());
    all.missing.reserve(planned_trials(*database_, all.name));
    Statement planned(*database_, kPlannedTrials);
    planned.bind(1, all.name);
    planned.bind(2, static_cast<int>(orphaned));
    while (planned.executeStep()) {
      const std::int64_t position = planned.getColumn(0).getInt64();
      const std::string id = planned.getColumn(1).getString();
      const Trial& trial = reader.read(texts.of(id));
      const std::string variant = planned.getColumn(2).getString();
      const auto list = static_cast<std::size_t>(planned.getColumn(3).getInt64());
      const auto wanted =
          list < lists.size() ? applicable(lists[list], trial) : std::vector<EvaluationRequest>{};
      std::vector<EvaluationRequest> lacking;
      while (outcome != outcomes.end() && outcome->position < position) ++outcome;
      if (outcome == outcomes.end() || outcome->position != position) {
        lacking = wanted;
      } else {
        const RecordedOutcome& found = *outcome;
        const auto recorded = scores.of(id, found.attempt);
        for (const EvaluationRequest& request : wanted) {
          const Evaluation* score = find(recorded, request);
          if (!score && found.status == OutcomeStatus::completed)
            lacking.push_back(request);
          else
            all.results.push_back({position, id, trial, variant, found.status, request,
                                   score ? std::optional(*score) : std::nullopt, found.build,
                                   found.data, found.collapsed});
        }
      }
      if (lacking.empty()) continue;
      Missing& missing = all.missing.emplace_back();
      missing = {position, id, trial, variant, std::move(lacking), failed.count(id) > 0};
    }
    return all;
  });
}

std::vector<SweepStatus> Store::status() const {
  return explained(path_, [&] {
    const Transaction snapshot(*database_);
    const bool alive = is_written(path_);
    std::vector<SweepStatus> all;
    Statement row(*database_, kStatus);
    for (const std::string& name : sweep_names(*database_)) {
      const Tally tally = tally_of(*database_, name);
      row.reset();
      row.bind(1, name);
      row.executeStep();
      const std::int64_t running = row.getColumn(1).getInt64();
      all.push_back({name, tally.trials, tally.completed, tally.diverged,
                     row.getColumn(0).getInt64(), alive ? running : 0, tally.collapsed,
                     alive ? 0 : running, tally.train_seconds + row.getColumn(2).getDouble(),
                     tally.evaluate_seconds, row.getColumn(3).getDouble(), tally.started_at,
                     tally.last_outcome_at, row.getColumn(4).getInt64(),
                     row.getColumn(5).getInt64()});
    }
    return all;
  });
}

std::vector<std::string> Store::sweeps() const {
  return explained(path_, [&] { return sweep_names(*database_); });
}

}  // namespace occam
