// Saving what a damaged file still holds: every row says by its shape which table it is of.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "results/beside.h"
#include "results/open_database.h"
#include "results/page_file.h"
#include "results/recover.h"
#include "results/spool.h"
#include "results/store.h"
#include "results/store_error.h"
#include "results/store_lock.h"
#include "results/store_step.h"
#include "results/table_shape.h"
#include "results/table_spec_json.h"
#include "results/tally.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using SQLite::Statement;

// The file as its last writer left it. What lies beside it in a log or a journal is played into a
// copy, since nothing may change in the file itself.
class SettledFile {
 public:
  SettledFile(const std::string& path, const std::string& copy) : path_(path) {
    if (!fs::exists(path + "-wal") && !fs::exists(path + "-journal")) return;
    unread_ = !left_is_own(path) || left_log_is_damaged(path);
    if (!left_is_own(path)) return;
    path_ = copy_ = copy;
    remove_database(copy);  // of one that was killed
    try {
      for (const char* part : {"", "-wal", "-journal"})
        if (fs::exists(path + part)) fs::copy_file(path + part, copy + part);
    } catch (const fs::filesystem_error& problem) {
      remove_database(copy);
      throw Error(copy + ": cannot be written: " + problem.code().message() +
                  "; what lies beside " + path +
                  " in a log or a journal takes a copy of both to read: free some space, or " +
                  "name a new file on another disk");
    }
    try {
      SQLite::Database database(copy, SQLite::OPEN_READWRITE);
      database.execAndGet("SELECT count(*) FROM sqlite_master");
    } catch (const SQLite::Exception&) {
      // Closing has taken in what can be.
    }
    unread_ |= fs::exists(copy + "-wal") || fs::exists(copy + "-journal");
  }
  ~SettledFile() {
    if (!copy_.empty()) remove_database(copy_);
  }
  SettledFile(const SettledFile&) = delete;

  const std::string& path() const { return path_; }
  bool unread() const { return unread_; }

 private:
  std::string path_, copy_;
  bool unread_ = false;
};

// A trial's id says whether its text is what was written.
bool is_as_written(const std::string& id, const std::string& config) {
  try {
    return id_of(trial_from_json(json::parse(config))) == id;
  } catch (const std::exception&) {
    return false;
  }
}

// Whether what is text in the row, and more than that to whoever reads it, can be read.
bool is_readable(const TableShape& shape, const StoredRow& row) {
  if (shape.table == "trial") return is_as_written(row.values[0], row.values[1]);
  if (shape.table != "evaluation" && shape.table != "request") return true;
  json request;
  for (std::size_t i = 0; i < row.values.size(); ++i)
    for (const char* name : {"features", "classifier", "parameters"})
      if (shape.columns[i].name == name) request[name] = row.values[i];
  try {
    request["parameters"] = json::parse(request.at("parameters").get<std::string>());
    request_from_json(request);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool are_readable_tables(const std::string& text) {
  try {
    tables_from_json(text);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// Reads a file's rows into a database of this schema.
class Recovery {
 public:
  Recovery(const PageFile& file, Statements& to)
      : file_(file), to_(to), shapes_(shapes_of(to.database())), free_(file.free_pages()) {
    for (const TableShape& shape : shapes_) {
      RecoveredTable table;
      table.name = shape.table;
      tables_.push_back(table);
    }
  }

  std::vector<RecoveredTable> all() {
    const auto begins = where_tables_begin();
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      const auto begin = begins.find(shapes_[i].table);
      tables_[i].begins_unknown = begin == begins.end();
      if (!tables_[i].begins_unknown) read_tree(i, begin->second);
    }
    read_what_no_tree_leads_to();
    run(to_, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'attempt'", last_lease_);
    return tables_;
  }

 private:
  // Calls with every page that can be read, in the order of its rows, and how often one could not.
  template <class Visitor>
  std::int64_t walk(std::uint32_t root, bool has_rowids, Visitor&& visit) {
    std::int64_t unreadable = 0;
    std::vector<std::uint32_t> left{root};
    while (!left.empty()) {
      const std::uint32_t number = left.back();
      left.pop_back();
      auto page = free_.count(number) ? std::nullopt : file_.tree_page(number);
      if (!page || page->has_rowids != has_rowids || !seen_.insert(number).second) {
        ++unreadable;
        continue;
      }
      left.insert(left.end(), page->children.rbegin(), page->children.rend());
      visit(*page);
    }
    return unreadable;
  }

  std::map<std::string, std::uint32_t> where_tables_begin() {
    std::map<std::string, std::uint32_t> begins;
    walk(1, true, [&](const TreePage& page) {
      for (const StoredRow& row : page.rows)  // type, name, table, first page, SQL
        if (row.values.size() == 5 && row.values[0] == "table" && row.values[1].is_string() &&
            row.values[3].is_number_integer())
          begins[row.values[1].get<std::string>()] = row.values[3].get<std::uint32_t>();
    });
    return begins;
  }

  void read_tree(std::size_t index, std::uint32_t root) {
    RecoveredTable& table = tables_[index];
    table.unreadable_pages += walk(root, shapes_[index].has_rowids, [&](const TreePage& page) {
      table.unreadable_rows += static_cast<std::int64_t>(page.unreadable_rows);
      for (const StoredRow& row : page.rows) table.unreadable_rows += !take(page, row, index);
    });
  }

  // Below a page that is damaged. What is older than a row that a tree led to has no place any
  // more.
  void read_what_no_tree_leads_to() {
    for (std::uint32_t number = 1; number <= file_.pages(); ++number) {
      if (seen_.count(number) || free_.count(number)) continue;
      if (const auto page = file_.tree_page(number))
        for (const StoredRow& row : page->rows) take(*page, row);
    }
  }

  // Whether it is a row of ours that was not there yet. `table` is the one whose tree led to it.
  bool take(const TreePage& page, const StoredRow& row, std::optional<std::size_t> table = {}) {
    if (page.has_rowids && row.values.size() == 2 && row.values[0] == "attempt" &&
        row.values[1].is_number_integer())
      last_lease_ = std::max(last_lease_, row.values[1].get<std::int64_t>());
    for (std::size_t i = 0; i < shapes_.size(); ++i)
      if (fits(shapes_[i], page.has_rowids, row)) return take(i, row);
    // Somebody gave the table columns of his own, which stand behind ours.
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      const std::size_t ours = shapes_[i].columns.size();
      if ((i != table && !longer_.count(i)) || row.values.size() <= ours) continue;
      StoredRow begin = row;
      begin.values.resize(ours);
      if (!fits(shapes_[i], page.has_rowids, begin)) continue;
      longer_.insert(i);
      return take(i, begin);
    }
    return false;
  }

  bool take(std::size_t table, const StoredRow& row) {
    const bool taken = is_readable(shapes_[table], row) && insert(shapes_[table], row);
    tables_[table].rows += taken;
    return taken;
  }

  bool insert(const TableShape& shape, const StoredRow& row) {
    std::string names, places;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      names += (i > 0 ? ", " : "") + shape.columns[i].name;
      places += i > 0 ? ", ?" : "?";
    }
    Prepared statement(
        to_, "INSERT OR IGNORE INTO " + shape.table + "(" + names + ") VALUES (" + places + ")");
    for (std::size_t i = 0; i < row.values.size(); ++i)
      bind_value(*statement, static_cast<int>(i) + 1,
                 shape.columns[i].is_rowid ? json(row.rowid) : row.values[i]);
    return statement->exec() > 0;
  }

  const PageFile& file_;
  Statements& to_;
  std::vector<TableShape> shapes_;
  std::vector<RecoveredTable> tables_;      // one a shape
  std::unordered_set<std::size_t> longer_;  // tables whose rows have more columns than we know
  std::unordered_set<std::uint32_t> free_, seen_;
  std::int64_t last_lease_ = 0;
};

std::int64_t count(SQLite::Database& database, const std::string& what) {
  return database.execAndGet("SELECT count(*) FROM " + what).getInt64();
}

// What a damaged file's rows refer to is there, or is made again, or they are left out.
class Mending {
 public:
  Mending(Statements& statements, Recovered& recovered)
      : statements_(statements), recovered_(recovered) {}

  void make_sweeps_again() {
    table("sweep").made_again += run(
        statements_,
        "INSERT INTO sweep SELECT name, (SELECT coalesce(max(number), 0) FROM sweep) + "
        "row_number() OVER (ORDER BY name), '', ?, " +
            kNow +
            " FROM (SELECT DISTINCT sweep AS name FROM sweep_trial WHERE sweep NOT IN (SELECT name "
            "FROM sweep))",
        tables_to_json({}));
    // They are in the spec as well.
    std::vector<std::string> damaged;
    Statement sweeps(statements_.database(), "SELECT name, tables FROM sweep");
    while (sweeps.executeStep())
      if (!are_readable_tables(sweeps.getColumn(1).getString()))
        damaged.push_back(sweeps.getColumn(0).getString());
    for (const std::string& name : damaged)
      table("sweep").made_again +=
          run(statements_, "UPDATE sweep SET tables = ? WHERE name = ?", tables_to_json({}), name);
    leave_out("request", "sweep NOT IN (SELECT name FROM sweep)");
  }

  void leave_out_strays() {
    const std::string no_trial = "trial NOT IN (SELECT id FROM trial)";
    for (const char* name : {"sweep_trial", "attempt", "outcome", "epoch"})
      leave_out(name, no_trial);
    leave_out("evaluation",
              "NOT EXISTS (SELECT 1 FROM outcome o WHERE o.trial = evaluation.trial AND "
              "o.attempt = evaluation.attempt)");
    run(statements_,
        "UPDATE attempt SET continued = NULL, continued_at = NULL WHERE continued NOT IN (SELECT "
        "lease FROM attempt)");
  }

  // A number is a number, but which code made it is no longer known.
  void make_attempts_again() {
    const std::string lost =
        "outcome o WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.trial = o.trial AND a.number "
        "= o.attempt)";
    recovered_.unknown_builds = count(statements_.database(), lost + " AND retired_at IS NULL");
    table("attempt").made_again += run(
        statements_,
        "INSERT INTO attempt(trial, number, state, host, device, build, revision, libraries, "
        "deterministic, started_at, ended_at, error) SELECT trial, attempt, 'completed', '', "
        "'', ?, '', '', 0, recorded_at, recorded_at, 'this row was lost, and made again' FROM " +
            lost,
        kUnknownBuild);
  }

  void count_lost_results() {
    recovered_.lost_results = count(
        statements_.database(),
        "(SELECT DISTINCT trial FROM attempt a WHERE state = 'completed' AND NOT EXISTS (SELECT 1 "
        "FROM outcome o WHERE o.trial = a.trial AND (o.attempt = a.number OR o.retired_at IS "
        "NULL)))");
  }

 private:
  RecoveredTable& table(const std::string& name) {
    return *std::find_if(recovered_.tables.begin(), recovered_.tables.end(),
                         [&](const RecoveredTable& one) { return one.name == name; });
  }
  void leave_out(const std::string& name, const std::string& such) {
    table(name).left_out += run(statements_, "DELETE FROM " + name + " WHERE " + such);
  }

  Statements& statements_;
  Recovered& recovered_;
};

// Specs of the stored sweeps, in the order in which they were recorded; nothing for one that
// cannot be read.
struct StoredSpec {
  std::string name;
  std::optional<Spec> spec;
  Expansion expansion;
};

std::vector<StoredSpec> stored_specs(SQLite::Database& database, const FindSource& find_source) {
  std::vector<StoredSpec> all;
  Statement sweeps(database, "SELECT name, text FROM sweep ORDER BY number");
  while (sweeps.executeStep()) {
    StoredSpec one{sweeps.getColumn(0).getString(), {}, {}};
    try {
      Spec spec = parse_spec(sweeps.getColumn(1).getString(), one.name);
      one.expansion = expand(spec, find_source);
      if (spec.name == one.name) one.spec = std::move(spec);
    } catch (const std::exception&) {
      // Its plan is then what its rows say.
    }
    all.push_back(std::move(one));
  }
  return all;
}

RecoveredSweep judged(const StoredSpec& stored, const std::vector<TrialHistory>& histories) {
  RecoveredSweep sweep{stored.name, static_cast<std::int64_t>(histories.size()), 0};
  for (const TrialHistory& one : histories)
    sweep.with_all_scores +=
        one.outcome && (one.outcome == OutcomeStatus::diverged || one.missing.empty());
  return sweep;
}

}  // namespace

bool Recovered::whole() const {
  return !unread_beside && std::all_of(tables.begin(), tables.end(),
                                       [](const RecoveredTable& table) { return table.whole(); });
}

Recovered Store::recover(const std::string& damaged, const FindSource& find_source) {
  check_recoverable(damaged);
  check_unlocked(damaged);
  return explained(path_, [&] {
    const SettledFile settled(damaged, path_ + ".reading");
    const PageFile file(settled.path());
    Recovered recovered;
    recovered.unread_beside = settled.unread();

    begin_group();
    run(*statements_, "BEGIN IMMEDIATE");
    // What a row refers to may be read after it.
    run(*statements_, "PRAGMA defer_foreign_keys = ON");
    recovered.tables = Recovery(file, *statements_).all();
    if (std::all_of(recovered.tables.begin(), recovered.tables.end(),
                    [](const RecoveredTable& table) { return table.rows == 0; }))
      throw Error(damaged + ": holds no row of occam's that can be read; restore a copy");

    Mending mending(*statements_, recovered);
    mending.make_sweeps_again();
    std::vector<StoredSpec> specs = stored_specs(*database_, find_source);
    // A spec knows its trials, also those whose rows are lost.
    if (!recovered.whole()) {
      const std::int64_t trials = count(*database_, "trial"),
                         places = count(*database_, "sweep_trial");
      for (const StoredSpec& one : specs)
        if (one.spec) {
          record_sweep(*one.spec, one.expansion);
          run(*statements_, "UPDATE sweep SET tables = ? WHERE name = ?",
              tables_to_json(one.spec->tables), one.name);
        } else  // stays where it was among the others
          run(*statements_,
              "UPDATE sweep SET number = (SELECT max(number) + 1 FROM sweep) WHERE name = ?",
              one.name);
      for (RecoveredTable& table : recovered.tables) {
        if (table.name == "trial") table.made_again += count(*database_, "trial") - trials;
        if (table.name == "sweep_trial")
          table.made_again += count(*database_, "sweep_trial") - places;
      }
    }
    mending.leave_out_strays();
    mending.make_attempts_again();
    mending.count_lost_results();
    complete_tallies(*database_);
    commit_group();
    try {
      const Spool spool(damaged);
      const std::vector<Change> waiting = spool.waiting();
      recovered.taken_in = static_cast<std::int64_t>(record(waiting));
      recovered.unread_beside |= !spool.unreadable().empty() || !lines_not_taken(waiting).empty();
    } catch (const Error&) {
      recovered.unread_beside = true;  // it is of trials that are lost
    }
    end_interrupted(last_held(damaged));

    for (const SweepStatus& status : this->status()) {
      const auto stored = std::find_if(specs.begin(), specs.end(), [&](const StoredSpec& one) {
        return one.name == status.name;
      });
      if (stored != specs.end() && stored->spec)
        recovered.sweeps.push_back(judged(*stored, histories(stored->expansion, stored->name)));
      else
        recovered.sweeps.push_back(
            {status.name, status.trials, status.completed + status.diverged, true});
    }
    return recovered;
  });
}

}  // namespace occam
