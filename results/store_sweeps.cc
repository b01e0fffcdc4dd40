// Which trials are of which sweep, and what the user changes about them.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "results/store.h"
#include "results/store_error.h"
#include "results/store_step.h"
#include "results/table_spec_json.h"
#include "results/tally.h"

namespace occam {
namespace {

using SQLite::Statement;

constexpr std::size_t kMostExamples = 3;

void insert_requests(SQLite::Database& database, const std::string& sweep,
                     const std::vector<std::vector<EvaluationRequest>>& lists) {
  // The same score asked for twice is one.
  Statement insert(database, "INSERT OR IGNORE INTO request VALUES (?, ?, ?, ?, ?, ?)");
  for (std::size_t list = 0; list < lists.size(); ++list)
    for (std::size_t position = 0; position < lists[list].size(); ++position) {
      const EvaluationRequest& request = lists[list][position];
      run(insert, sweep, static_cast<std::int64_t>(list), static_cast<std::int64_t>(position),
          to_string(request.features), to_string(request.classifier), parameters_text(request));
    }
}

void insert_trials(SQLite::Database& database, const std::string& sweep, const Expansion& expansion,
                   const std::vector<std::string>& ids) {
  // A trial of an earlier sweep stays as it was written then.
  Statement insert_trial(database, "INSERT OR IGNORE INTO trial VALUES (?, ?)");
  Statement insert_place(database,
                         "INSERT INTO sweep_trial(sweep, position, trial, variant, list) "
                         "VALUES (?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const PlannedTrial& planned = expansion.trials[i];
    run(insert_trial, ids[i], to_json(planned.trial).dump());
    run(insert_place, sweep, static_cast<std::int64_t>(i), ids[i],
        expansion.variants[static_cast<std::size_t>(planned.variant)], planned.evaluations);
  }
}

// What the new spec leaves out goes behind it, with the scores that it had been asked for.
void keep_orphans(SQLite::Database& database, const std::string& sweep,
                  const Expansion& expansion) {
  const auto trials = static_cast<std::int64_t>(expansion.trials.size());
  const auto lists = static_cast<std::int64_t>(expansion.evaluations.size());
  run(database,
      "INSERT INTO sweep_trial SELECT sweep, position + ?2, trial, variant, list + ?3, "
      "coalesce(orphaned_at, " +
          kNow +
          "), cancelled_at FROM temp.old_trial WHERE trial NOT IN "
          "(SELECT trial FROM sweep_trial WHERE sweep = ?1)",
      sweep, trials, lists);
  run(database,
      "INSERT INTO request SELECT sweep, list + ?2, position, features, classifier, parameters "
      "FROM temp.old_request WHERE list + ?2 IN "
      "(SELECT list FROM sweep_trial WHERE sweep = ?1 AND orphaned_at IS NOT NULL)",
      sweep, lists);
  run(database,
      "UPDATE sweep_trial SET cancelled_at = o.cancelled_at FROM temp.old_trial o "
      "WHERE sweep_trial.sweep = ?1 AND o.trial = sweep_trial.trial AND o.cancelled_at IS NOT NULL",
      sweep);
}

std::vector<std::string> ids_of(const Expansion& expansion) {
  std::vector<std::string> ids;
  ids.reserve(expansion.trials.size());
  for (const PlannedTrial& planned : expansion.trials) ids.push_back(planned.id());
  return ids;
}

bool asks_for(SQLite::Database& database, const std::string& sweep,
              const std::vector<std::vector<EvaluationRequest>>& lists) {
  Statement stored(database,
                   "SELECT list, features, classifier, parameters FROM request WHERE sweep = ? AND "
                   "list < ? ORDER BY list, position");
  stored.bind(1, sweep);
  stored.bind(2, static_cast<std::int64_t>(lists.size()));
  for (std::size_t list = 0; list < lists.size(); ++list)
    for (const EvaluationRequest& one : lists[list])
      if (!stored.executeStep() ||
          stored.getColumn(0).getInt64() != static_cast<std::int64_t>(list) ||
          stored.getColumn(1).getString() != to_string(one.features) ||
          stored.getColumn(2).getString() != to_string(one.classifier) ||
          stored.getColumn(3).getString() != parameters_text(one))
        return false;
  return !stored.executeStep();
}

using WantedScores = std::set<std::array<std::string, 3>>;  // features, classifier, parameters

std::map<std::int64_t, WantedScores> stored_scores(SQLite::Database& database,
                                                   const std::string& sweep) {
  std::map<std::int64_t, WantedScores> lists;
  Statement stored(database,
                   "SELECT list, features, classifier, parameters FROM request WHERE sweep = ?");
  stored.bind(1, sweep);
  while (stored.executeStep())
    lists[stored.getColumn(0).getInt64()].insert({stored.getColumn(1).getString(),
                                                  stored.getColumn(2).getString(),
                                                  stored.getColumn(3).getString()});
  return lists;
}

// Of two lists, whether the new one asks for all that the stored one does.
class CoversScores {
 public:
  CoversScores(SQLite::Database& database, const Spec& spec, const Expansion& expansion)
      : stored_(stored_scores(database, spec.name)) {
    for (const auto& list : expansion.evaluations) {
      WantedScores& scores = wanted_.emplace_back();
      for (const EvaluationRequest& one : list)
        scores.insert({to_string(one.features), to_string(one.classifier), parameters_text(one)});
    }
  }

  bool operator()(std::int32_t wanted, std::int64_t stored) {
    const auto known = covers_.find({wanted, stored});
    if (known != covers_.end()) return known->second;
    const WantedScores &of = wanted_[static_cast<std::size_t>(wanted)], &all = stored_[stored];
    return covers_[{wanted, stored}] = std::includes(of.begin(), of.end(), all.begin(), all.end());
  }

 private:
  std::map<std::int64_t, WantedScores> stored_;
  std::vector<WantedScores> wanted_;
  std::map<std::pair<std::int32_t, std::int64_t>, bool> covers_;
};

// The sweep as it stands was made of this very spec, and lacks nothing of it.
bool is_stored(SQLite::Database& database, const Spec& spec, const Expansion& expansion,
               const std::vector<std::string>& ids) {
  Statement sweep(database, "SELECT text FROM sweep WHERE name = ?");
  sweep.bind(1, spec.name);
  if (!sweep.executeStep() || sweep.getColumn(0).getString() != spec.text) return false;
  Statement stored(database,
                   "SELECT t.id FROM sweep_trial s JOIN trial t ON t.id = s.trial WHERE s.sweep = "
                   "? AND s.orphaned_at IS NULL ORDER BY s.position");
  stored.bind(1, spec.name);
  for (const std::string& id : ids)
    if (!stored.executeStep() || stored.getColumn(0).getString() != id) return false;
  return !stored.executeStep() && asks_for(database, spec.name, expansion.evaluations);
}

// Runs one statement a trial, whose first parameter that is; how many rows all of them changed.
template <class... Values>
std::size_t run_for_each(SQLite::Database& database, const std::vector<std::string>& trials,
                         const std::string& sql, const Values&... values) {
  std::size_t changed = 0;
  for (const std::string& trial : trials)
    changed += static_cast<std::size_t>(run(database, sql, trial, values...));
  return changed;
}

}  // namespace

SweepDrift Store::drift(const Spec& spec, const Expansion& expansion) const {
  return explained(path_, [&] {
    SweepDrift drift;
    Statement known(*database_, "SELECT 1 FROM sweep WHERE name = ?");
    known.bind(1, spec.name);
    drift.known = known.executeStep();
    if (!drift.known) return drift;
    const std::vector<std::string> ids = ids_of(expansion);
    std::unordered_map<std::string, std::int32_t> wanted;  // by id, the list of its scores
    for (std::size_t i = 0; i < ids.size(); ++i)
      wanted.emplace(ids[i], expansion.trials[i].evaluations);
    CoversScores covers(*database_, spec, expansion);
    std::unordered_set<std::string> kept;
    Statement stored(
        *database_,
        "SELECT s.trial, t.config, EXISTS (SELECT 1 FROM outcome o WHERE o.trial = "
        "s.trial AND o.retired_at IS NULL), s.list FROM sweep_trial s JOIN trial t ON t.id = "
        "s.trial WHERE s.sweep = ? AND s.orphaned_at IS NULL ORDER BY s.position");
    stored.bind(1, spec.name);
    while (stored.executeStep()) {
      std::string id = stored.getColumn(0).getString();
      if (const auto now = wanted.find(id); now != wanted.end()) {
        drift.fewer_scores += !covers(now->second, stored.getColumn(3).getInt64());
        kept.insert(std::move(id));
        continue;
      }
      ++drift.orphaned;
      drift.orphaned_outcomes += stored.getColumn(2).getInt() != 0;
      if (drift.orphaned_examples.size() < kMostExamples)
        drift.orphaned_examples.push_back(
            identity(trial_from_json(nlohmann::json::parse(stored.getColumn(1).getString()))));
    }
    drift.kept = kept.size();
    drift.added = ids.size() - kept.size();
    for (std::size_t i = 0; i < ids.size() && drift.added_examples.size() < kMostExamples; ++i)
      if (kept.count(ids[i]) == 0)
        drift.added_examples.push_back(identity(expansion.trials[i].trial));
    return drift;
  });
}

void Store::record_sweep(const Spec& spec, const Expansion& expansion) {
  explained(path_, [&] {
    const std::vector<std::string> ids = ids_of(expansion);
    Step step(*statements_, grouped_);
    const std::int64_t number =
        database_->execAndGet("SELECT coalesce(max(number), 0) + 1 FROM sweep").getInt64();
    if (is_stored(*database_, spec, expansion, ids)) {
      run(*database_, "UPDATE sweep SET number = ? WHERE name = ?", number, spec.name);
      step.commit();
      return;
    }
    database_->exec("DROP TABLE IF EXISTS temp.old_trial; DROP TABLE IF EXISTS temp.old_request");
    run(*database_, "CREATE TEMP TABLE old_trial AS SELECT * FROM sweep_trial WHERE sweep = ?",
        spec.name);
    run(*database_, "CREATE TEMP TABLE old_request AS SELECT * FROM request WHERE sweep = ?",
        spec.name);
    run(*database_, "DELETE FROM sweep WHERE name = ?", spec.name);
    run(*database_, "INSERT INTO sweep VALUES (?, ?, ?, ?, " + kNow + ")", spec.name, number,
        spec.text, tables_to_json(spec.tables));
    insert_requests(*database_, spec.name, expansion.evaluations);
    insert_trials(*database_, spec.name, expansion, ids);
    keep_orphans(*database_, spec.name, expansion);
    complete_tallies(*database_);
    step.commit();
    database_->exec("DROP TABLE temp.old_trial; DROP TABLE temp.old_request");
  });
}

std::size_t Store::retry(const std::vector<std::string>& trials) {
  return explained(path_, [&] {
    Step step(*statements_, grouped_);
    std::size_t changed = 0;
    for (const std::string& trial : trials) {
      int rows = run(*database_,
                     "UPDATE attempt SET forgiven_at = " + kNow +
                         " WHERE trial = ? AND state = 'failed' AND forgiven_at IS NULL",
                     trial);
      rows += run(*database_,
                  "UPDATE outcome SET retired_at = " + kNow +
                      " WHERE trial = ? AND status = 'diverged' AND retired_at IS NULL",
                  trial);
      rows += run(*database_,
                  "UPDATE sweep_trial SET cancelled_at = NULL WHERE trial = ? AND cancelled_at "
                  "IS NOT NULL",
                  trial);
      changed += rows > 0;
    }
    step.commit();
    return changed;
  });
}

std::vector<std::string> Store::without_outcome(const std::vector<std::string>& trials) const {
  return explained(path_, [&] {
    std::vector<std::string> without;
    Statement outcome(*database_, "SELECT 1 FROM outcome WHERE trial = ? AND retired_at IS NULL");
    for (const std::string& trial : trials) {
      outcome.reset();
      outcome.bind(1, trial);
      if (!outcome.executeStep()) without.push_back(trial);
    }
    return without;
  });
}

std::size_t Store::forget(const std::vector<std::string>& trials, const std::string& build) {
  return explained(path_, [&] {
    Step step(*statements_, grouped_);
    const std::size_t changed = run_for_each(
        *database_, trials,
        "UPDATE outcome SET retired_at = " + kNow +
            " WHERE trial = ?1 AND retired_at IS NULL AND (?2 = '' OR EXISTS (SELECT 1 FROM "
            "attempt a WHERE a.trial = ?1 AND a.number = outcome.attempt AND a.build = ?2))",
        build);
    // They are tried again as if never before.
    run_for_each(*database_, trials,
                 "UPDATE attempt SET forgiven_at = " + kNow +
                     " WHERE trial = ?1 AND state = 'failed' AND forgiven_at IS NULL AND NOT "
                     "EXISTS (SELECT 1 FROM outcome WHERE trial = ?1 AND retired_at IS NULL)");
    step.commit();
    return changed;
  });
}

std::size_t Store::cancel(const std::vector<std::string>& trials) {
  return explained(path_, [&] {
    Step step(*statements_, grouped_);
    std::size_t changed = 0;
    for (const std::string& trial : trials)
      changed += run(*database_,
                     "UPDATE sweep_trial SET cancelled_at = " + kNow +
                         " WHERE trial = ?1 AND cancelled_at IS NULL AND NOT EXISTS (SELECT 1 "
                         "FROM outcome WHERE trial = ?1 AND retired_at IS NULL)",
                     trial) > 0;
    step.commit();
    return changed;
  });
}

}  // namespace occam
