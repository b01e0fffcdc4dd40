// Taking in other files: every row keeps where and when it was made; attempts get new numbers.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "experiments/number.h"
#include "results/merge.h"
#include "results/spool.h"
#include "results/store.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "results/store_step.h"
#include "results/tally.h"

namespace occam {
namespace {

using nlohmann::json;
using SQLite::Statement;
using Attempt = std::pair<std::string, std::int64_t>;  // of a trial, by its number

std::optional<json> find(SQLite::Database& database, const std::string& sql,
                         const std::vector<json>& values) {
  Statement statement(database, sql);
  bind_all(statement, values);
  if (!statement.executeStep()) return std::nullopt;
  const auto column = statement.getColumn(0);
  if (column.isNull()) return json();
  if (column.isInteger()) return json(column.getInt64());
  if (column.isFloat()) return json(column.getDouble());
  return json(column.getString());
}

std::vector<std::string> columns_of_table(SQLite::Database& database, const std::string& table) {
  std::vector<std::string> columns;
  Statement select(database, "SELECT name FROM pragma_table_info('" + table + "')");
  while (select.executeStep()) columns.push_back(select.getColumn(0).getString());
  return columns;
}

// One table of both files, in the columns that both have: an older file lacks some, which then get
// their defaults.
class SharedTable {
 public:
  SharedTable(SQLite::Database& from, SQLite::Database& to, const std::string& table)
      : table_(table), from_(from) {
    const auto own = columns_of_table(from, table);
    for (const std::string& column : columns_of_table(to, table))
      if (std::find(own.begin(), own.end(), column) != own.end()) columns_.push_back(column);
    std::string places = "?";
    for (std::size_t i = 1; i < columns_.size(); ++i) places += ", ?";
    insert_ = std::make_unique<Statement>(
        to, "INSERT INTO " + table + "(" + joined(columns_) + ") VALUES (" + places + ")");
  }

  bool has(const std::string& column) const { return at(column) < columns_.size(); }
  std::size_t at(const std::string& column) const {
    return static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), column) -
                                    columns_.begin());
  }

  // Of the file that is taken in. `rest` is the statement's end: WHERE ?1 = …, ORDER BY ….
  template <class Visitor>
  void each(const std::string& rest, const std::vector<json>& values, Visitor&& visit) const {
    Statement select(from_, "SELECT " + joined(columns_) + " FROM " + table_ + " " + rest);
    bind_all(select, values);
    Row row(columns_.size());
    while (select.executeStep()) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const auto value = select.getColumn(static_cast<int>(i));
        row[i] = value.isNull()      ? json()
                 : value.isInteger() ? json(value.getInt64())
                 : value.isFloat()   ? json(value.getDouble())
                                     : json(value.getString());
      }
      visit(row);
    }
  }

  void insert(const Row& row) {
    insert_->reset();
    bind_all(*insert_, row);
    insert_->exec();
  }

 private:
  std::string table_;
  SQLite::Database& from_;
  std::vector<std::string> columns_;
  std::unique_ptr<Statement> insert_;
};

// An outcome as far as two of them can be compared: not when, where and how fast.
struct StoredScores {
  std::string status, data;
  std::int64_t steps = 0;
  std::map<std::string, std::vector<json>> of;  // split, features, classifier and parameters
};

// Of each score, in the order of its values.
constexpr const char* kMeasured[] = {"AUROC", "average precision", "FPR95", "outliers", "inliers"};

StoredScores scores_of(SQLite::Database& database, const Attempt& attempt) {
  StoredScores scores;
  Statement outcome(database,
                    "SELECT status, data, steps FROM outcome WHERE trial = ? AND attempt = ?");
  outcome.bind(1, attempt.first);
  outcome.bind(2, attempt.second);
  if (outcome.executeStep()) {
    scores.status = outcome.getColumn(0).getString();
    scores.data = outcome.getColumn(1).getString();
    scores.steps = outcome.getColumn(2).getInt64();
  }
  Statement each(database,
                 "SELECT split, features, classifier, parameters, auroc, average_precision, fpr95, "
                 "outliers, inliers FROM evaluation WHERE trial = ? AND attempt = ?");
  each.bind(1, attempt.first);
  each.bind(2, attempt.second);
  while (each.executeStep()) {
    std::vector<std::string> name;
    for (int i = 0; i < 4; ++i) name.push_back(each.getColumn(i).getString());
    auto& values = scores.of[joined(name, " ")];
    for (int i = 4; i < 9; ++i) values.emplace_back(each.getColumn(i).getDouble());
  }
  return scores;
}

// What two outcomes of one trial say differently; "" where one merely has scores that the other
// lacks.
std::string difference(const StoredScores& a, const StoredScores& b) {
  if (a.status != b.status) return a.status + " and " + b.status;
  if (a.data != b.data) return "trained on different images, " + a.data + " and " + b.data;
  if (a.steps != b.steps)
    return std::to_string(a.steps) + " and " + std::to_string(b.steps) + " updates";
  bool only_a = false, only_b = false;
  for (const auto& [name, values] : a.of) {
    const auto other = b.of.find(name);
    if (other == b.of.end())
      only_a = true;
    else if (other->second != values)
      for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i] != other->second[i])
          return kMeasured[i] + (" of " + name + " " + values[i].dump()) + " and " +
                 other->second[i].dump();
  }
  for (const auto& [name, values] : b.of) only_b |= !a.of.count(name);
  return only_a && only_b ? "each has scores that the other lacks" : "";
}

// All that a sweep plans, as one text to compare by.
std::string plan_of(SQLite::Database& database, const std::string& sweep) {
  std::string text;
  for (const char* sql :
       {"SELECT tables FROM sweep WHERE name = ?",
        "SELECT list || ' ' || position || ' ' || features || ' ' || classifier || ' ' || "
        "parameters FROM request WHERE sweep = ? ORDER BY list, position",
        "SELECT position || ' ' || trial || ' ' || list || ' ' || variant FROM sweep_trial WHERE "
        "sweep = ? ORDER BY position"}) {
    Statement select(database, sql);
    select.bind(1, sweep);
    while (select.executeStep()) text += select.getColumn(0).getString() + "\n";
  }
  return text;
}

// What a sweep plans by trial, its place aside.
struct Planned {
  bool counts = true;  // no later spec has left it out
  std::string variant;
  std::int64_t list = 0;  // of the scores
};
struct Plan {
  std::map<std::string, Planned> trials;
  std::map<std::int64_t, std::set<std::string>> scores;  // by list, of every one that a trial has
};

Plan plan_by_trial(SQLite::Database& database, const std::string& sweep) {
  Plan plan;
  const auto columns = columns_of_table(database, "sweep_trial");
  const bool marks = std::find(columns.begin(), columns.end(), "orphaned_at") != columns.end();
  Statement trials(database, "SELECT trial, " + std::string(marks ? "orphaned_at IS NULL" : "1") +
                                 ", variant, list FROM sweep_trial WHERE sweep = ?");
  trials.bind(1, sweep);
  while (trials.executeStep()) {
    const std::int64_t list = trials.getColumn(3).getInt64();
    plan.trials[trials.getColumn(0).getString()] = {trials.getColumn(1).getInt() != 0,
                                                    trials.getColumn(2).getString(), list};
    plan.scores[list];
  }
  Statement scores(database,
                   "SELECT list, features || ' ' || classifier || ' ' || parameters FROM request "
                   "WHERE sweep = ?");
  scores.bind(1, sweep);
  while (scores.executeStep())
    plan.scores[scores.getColumn(0).getInt64()].insert(scores.getColumn(1).getString());
  return plan;
}

// Whether the plan is the other one with trials or scores added, as of a spec that has grown.
bool covers(const Plan& plan, const Plan& other) {
  return std::all_of(other.trials.begin(), other.trials.end(), [&](const auto& one) {
    const auto own = plan.trials.find(one.first);
    if (own == plan.trials.end()) return false;
    const Planned &now = own->second, &before = one.second;
    const auto& scores = plan.scores.at(now.list);
    const auto& wanted = other.scores.at(before.list);
    return now.counts >= before.counts && now.variant == before.variant &&
           std::includes(scores.begin(), scores.end(), wanted.begin(), wanted.end());
  });
}

// Takes one file into another, inside a transaction of the caller's.
class Merge {
 public:
  Merge(SQLite::Database& from, const std::string& path, SQLite::Database& to,
        const std::string& target, MergeRule rule, std::vector<std::string>& conflicts)
      : from_(from), to_(to), target_(target), rule_(rule), conflicts_(conflicts) {
    shard_.path = path;
  }

  MergedShard all() {
    take_trials();
    take_sweeps();
    take_attempts();
    take_outcomes();
    take_curves();
    return shard_;
  }

 private:
  // Whether this file's version replaces the one that is there. `newer`: it was recorded later.
  bool decide(const std::string& what, bool newer) {
    switch (rule_) {
      case MergeRule::refuse:
        conflicts_.push_back(shard_.path + ": " + what);
        return false;
      case MergeRule::first:
        shard_.differences.push_back(what + "; kept the first");
        return false;
      case MergeRule::latest:
        shard_.differences.push_back(what + (newer ? "; took this file's, the later one"
                                                   : "; kept the other, the later one"));
        return newer;
    }
    throw std::logic_error("unknown merge rule");
  }

  void take_trials() {
    SharedTable trials(from_, to_, "trial");
    trials.each("ORDER BY id", {}, [&](const Row& row) {
      const json& id = row[trials.at("id")];
      const json& config = row[trials.at("config")];
      const auto known = find(to_, "SELECT config FROM trial WHERE id = ?", {id});
      if (!known) {
        trials.insert(row);
        ++shard_.trials;
      } else if (*known != config) {
        // An older occam wrote fewer fields of the same training.
        const auto meaning = [](const json& text) {
          return identity(trial_from_json(json::parse(text.get<std::string>())));
        };
        if (meaning(*known) != meaning(config))
          throw Error(shard_.path + ": its trial " + id.get<std::string>() +
                      " is another training than that of " + target_ +
                      ", though the id is the same; one of the files was changed by hand");
      }
    });
  }

  void take_sweeps() {
    SharedTable sweeps(from_, to_, "sweep"), requests(from_, to_, "request"),
        places(from_, to_, "sweep_trial");
    sweeps.each("ORDER BY number", {}, [&](Row row) {
      const std::string name = row[sweeps.at("name")];
      const auto known = find(to_, "SELECT recorded_at FROM sweep WHERE name = ?", {name});
      if (known) {
        if (plan_of(from_, name) == plan_of(to_, name)) return;
        const json& recorded = row[sweeps.at("recorded_at")];
        const Plan theirs = plan_by_trial(from_, name), ours = plan_by_trial(to_, name);
        if (recorded <= *known && covers(ours, theirs)) return;
        if (!(recorded >= *known && covers(theirs, ours)) &&
            !decide("its sweep '" + name + "' plans something else than the one before",
                    recorded > *known))
          return;
        run(to_, "DELETE FROM sweep WHERE name = ?", json(name));
      }
      row[sweeps.at("number")] = *find(to_, "SELECT coalesce(max(number), 0) + 1 FROM sweep", {});
      sweeps.insert(row);
      requests.each("WHERE sweep = ?", {name}, [&](const Row& one) { requests.insert(one); });
      places.each("WHERE sweep = ?", {name}, [&](const Row& one) { places.insert(one); });
      ++shard_.sweeps;
    });
  }

  // An attempt is known by its trial, where and when it ran: a file that is merged again brings
  // nothing, and one that went on brings how it ended.
  void take_attempts() {
    SharedTable attempts(from_, to_, "attempt");
    const std::size_t lease = attempts.at("lease"), trial = attempts.at("trial"),
                      number = attempts.at("number"), state = attempts.at("state"),
                      ended_at = attempts.at("ended_at"), error = attempts.at("error");
    attempts.each("ORDER BY lease", {}, [&](Row row) {
      const Attempt own{row[trial], row[number]};
      // Its coordinator is dead: nobody holds the file's lock.
      const bool was_left = row[state] == "running";
      // A reference to the attempt whose checkpoint this one went on from is a lease too.
      const std::int64_t own_lease = row[lease];
      if (attempts.has("continued")) {
        json& continued = row[attempts.at("continued")];
        if (!continued.is_null()) continued = leases_.at(continued.get<std::int64_t>());
      }
      const std::vector<json> identity{row[trial], row[attempts.at("started_at")],
                                       row[attempts.at("host")], row[attempts.at("device")],
                                       row[attempts.at("build")]};
      const auto known = find(to_,
                              "SELECT number FROM attempt WHERE trial = ? AND started_at = ? AND "
                              "host = ? AND device = ? AND build = ?",
                              identity);
      if (known) {
        numbers_[own] = known->get<std::int64_t>();
        leases_[own_lease] = find(to_, "SELECT lease FROM attempt WHERE trial = ? AND number = ?",
                                  {row[trial], *known})
                                 ->get<std::int64_t>();
        if (!was_left)
          run(to_,
              "UPDATE attempt SET state = ?, ended_at = ?, error = ? WHERE trial = ? AND number = "
              "? AND state = 'interrupted'",
              row[state], row[ended_at], row[error], row[trial], *known);
        return;
      }
      if (was_left) {
        row[state] = "interrupted";
        row[ended_at] =
            *find(from_, "SELECT " + end_of_interrupted() + " FROM attempt WHERE lease = ?",
                  {last_held(shard_.path), row[lease]});
      }
      const auto next = find(
          to_, "SELECT coalesce(max(number), 0) + 1 FROM attempt WHERE trial = ?", {row[trial]});
      numbers_[own] = next->get<std::int64_t>();
      row[number] = *next;
      row[lease] = nullptr;  // the next one of the file that takes it in
      attempts.insert(row);
      leases_[own_lease] = to_.getLastInsertRowid();
      ++shard_.attempts;
    });
  }

  void take_outcomes() {
    SharedTable outcomes(from_, to_, "outcome"), evaluations(from_, to_, "evaluation");
    const std::size_t trial = outcomes.at("trial"), attempt = outcomes.at("attempt"),
                      retired = outcomes.at("retired_at"), recorded = outcomes.at("recorded_at");
    outcomes.each("ORDER BY trial, attempt", {}, [&](Row row) {
      const Attempt own{row[trial], row[attempt]};
      const Attempt here{own.first, numbers_.at(own)};
      const bool counts = row[retired].is_null();
      const bool known = find(to_, "SELECT 1 FROM outcome WHERE trial = ? AND attempt = ?",
                              {here.first, here.second})
                             .has_value();
      if (!known) {
        row[attempt] = here.second;
        // Retired until it is decided which one is the trial's.
        if (counts) row[retired] = *find(to_, "SELECT " + kNow, {});
        outcomes.insert(row);
        const std::size_t of_attempt = evaluations.at("attempt");
        evaluations.each("WHERE trial = ? AND attempt = ?", {own.first, own.second}, [&](Row one) {
          one[of_attempt] = here.second;
          evaluations.insert(one);
        });
      }
      if (counts) choose(own, here, known, row[recorded]);
    });
  }

  // Of the outcome that the trial has and this file's, the one that is the trial's from now on. One
  // that is `known`, and has been retired since, stays so.
  void choose(const Attempt& own, const Attempt& here, bool known, const json& recorded_at) {
    const auto now = find(to_, "SELECT attempt FROM outcome WHERE trial = ? AND retired_at IS NULL",
                          {own.first});
    if (!now) {
      if (!known) adopt(here);
      return;
    }
    const Attempt there{own.first, now->get<std::int64_t>()};
    const StoredScores ours = scores_of(to_, there), theirs = scores_of(from_, own);
    const std::string differs = difference(ours, theirs);
    if (differs.empty()) {
      ++shard_.equal;
      if (theirs.of.size() > ours.of.size()) adopt(here);
      return;
    }
    const auto before = find(to_, "SELECT recorded_at FROM outcome WHERE trial = ? AND attempt = ?",
                             {there.first, there.second});
    const auto config = find(to_, "SELECT config FROM trial WHERE id = ?", {own.first});
    const Trial trial = trial_from_json(json::parse(config->get<std::string>()));
    if (decide("trial " + own.first + " " + identity(trial) + ": " + differs,
               recorded_at > *before))
      adopt(here);
  }

  void adopt(const Attempt& attempt) {
    run(to_, "UPDATE outcome SET retired_at = " + kNow + " WHERE trial = ? AND retired_at IS NULL",
        json(attempt.first));
    run(to_, "UPDATE outcome SET retired_at = NULL WHERE trial = ? AND attempt = ?",
        json(attempt.first), json(attempt.second));
    adopted_.insert(attempt.first);
    ++shard_.outcomes;
  }

  // A trial's curve is that of its outcome; without one, the longer.
  void take_curves() {
    SharedTable epochs(from_, to_, "epoch");
    const std::size_t trial = epochs.at("trial"), attempt = epochs.at("attempt");
    std::vector<std::pair<std::string, std::int64_t>> lengths;
    Statement select(from_, "SELECT trial, count(*) FROM epoch GROUP BY trial");
    while (select.executeStep())
      lengths.emplace_back(select.getColumn(0).getString(), select.getColumn(1).getInt64());
    for (const auto& [id, length] : lengths) {
      const std::int64_t known = *find(to_, "SELECT count(*) FROM epoch WHERE trial = ?", {id});
      const bool finished =
          find(to_, "SELECT 1 FROM outcome WHERE trial = ? AND retired_at IS NULL", {id})
              .has_value();
      if (known > 0 && !adopted_.count(id) && (finished || length <= known)) continue;
      run(to_, "DELETE FROM epoch WHERE trial = ?", json(id));
      epochs.each("WHERE trial = ?", {id}, [&](Row row) {
        row[attempt] = numbers_.at({row[trial], row[attempt]});
        epochs.insert(row);
      });
    }
  }

  SQLite::Database& from_;
  SQLite::Database& to_;
  std::string target_;
  MergeRule rule_;
  std::vector<std::string>& conflicts_;
  MergedShard shard_;
  std::map<Attempt, std::int64_t> numbers_;  // of this file's attempts, in the one that takes them
  std::map<std::int64_t, std::int64_t> leases_;  // the same of their leases
  std::set<std::string> adopted_;                // trials whose outcome is now this file's
};

// The last recorded has the largest number, over all files.
void number_sweeps(SQLite::Database& database) {
  std::vector<std::string> names;
  Statement select(database, "SELECT name FROM sweep ORDER BY recorded_at, number");
  while (select.executeStep()) names.push_back(select.getColumn(0).getString());
  database.exec("UPDATE sweep SET number = -number");
  for (std::size_t i = 0; i < names.size(); ++i)
    run(database, "UPDATE sweep SET number = ? WHERE name = ?",
        json(static_cast<std::int64_t>(i) + 1), json(names[i]));
}

void check_names(const std::string& target, const std::vector<std::string>& shards) {
  std::set<std::string> seen;
  for (const std::string& shard : shards) {
    std::error_code none;
    if (std::filesystem::equivalent(shard, target, none))
      throw UsageError(shard + ": is both what is merged and what it is merged into; name a new " +
                       "file first: occam merge OUT.db A.db B.db");
    if (!seen.insert(std::filesystem::weakly_canonical(shard, none).string()).second)
      throw UsageError(shard + ": is named twice");
  }
}

// When somebody cancelled a trial of a sweep, first.
using Cancellations = std::map<std::pair<std::string, std::string>, std::string>;

void collect_cancellations(SQLite::Database& database, Cancellations& all) {
  const auto columns = columns_of_table(database, "sweep_trial");
  if (std::find(columns.begin(), columns.end(), "cancelled_at") == columns.end()) return;
  Statement select(database,
                   "SELECT sweep, trial, cancelled_at FROM sweep_trial WHERE cancelled_at IS NOT "
                   "NULL");
  while (select.executeStep()) {
    const std::string at = select.getColumn(2).getString();
    auto& first =
        all.try_emplace({select.getColumn(0).getString(), select.getColumn(1).getString()}, at)
            .first->second;
    first = std::min(first, at);
  }
}

// One that any of the files has cancelled and none has brought to its end.
void mark_cancelled(SQLite::Database& database, const Cancellations& all) {
  for (const auto& [trial, at] : all)
    run(database,
        "UPDATE sweep_trial SET cancelled_at = CASE WHEN EXISTS (SELECT 1 FROM outcome WHERE trial "
        "= ?2 AND retired_at IS NULL) THEN NULL ELSE ?3 END WHERE sweep = ?1 AND trial = ?2",
        json(trial.first), json(trial.second), json(at));
}

[[noreturn]] void refuse(const std::vector<std::string>& conflicts) {
  constexpr std::size_t kShown = 5;
  std::string text = "nothing was merged, since the files differ:";
  for (std::size_t i = 0; i < conflicts.size() && i < kShown; ++i) text += "\n  " + conflicts[i];
  if (conflicts.size() > kShown)
    text += "\n  and " + std::to_string(conflicts.size() - kShown) + " more";
  throw Error(text +
              "\n--keep first takes what the file named first says, --keep latest what was "
              "recorded last; the other stays in the file, retired");
}

}  // namespace

template <>
std::span<const std::string_view> names_of<MergeRule>() {
  static constexpr std::string_view names[] = {"refuse", "first", "latest"};
  return names;
}

std::vector<MergedShard> Store::merge(const std::vector<std::string>& shards, MergeRule rule) {
  check_names(path_, shards);
  return explained(path_, [&] {
    SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    std::vector<MergedShard> merged;
    std::vector<std::string> conflicts;
    Cancellations cancellations;
    collect_cancellations(*database_, cancellations);
    for (const std::string& path : shards) {
      check_unlocked(path);
      check_nothing_waits(path);
      const Store shard(path, Mode::read);
      merged.push_back(explained(path, [&] {
        const SQLite::Transaction snapshot(*shard.database_);
        collect_cancellations(*shard.database_, cancellations);
        return Merge(*shard.database_, path, *database_, path_, rule, conflicts).all();
      }));
    }
    if (!conflicts.empty()) refuse(conflicts);
    mark_cancelled(*database_, cancellations);
    number_sweeps(*database_);
    complete_tallies(*database_);
    transaction.commit();
    return merged;
  });
}

}  // namespace occam
