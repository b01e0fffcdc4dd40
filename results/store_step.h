#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace occam {

// ISO 8601, UTC, as SQLite's date functions read it.
inline const std::string kNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
inline const std::string kTime = "strftime('%Y-%m-%dT%H:%M:%fZ', ?, 'unixepoch')";  // a parameter
// When an attempt ended whose coordinator died: at the last moment that is known of that one's
// life, by when it was last_held(), a parameter, or by what it recorded.
inline std::string end_of_interrupted() {
  return "max(started_at, min(" + kNow + ", max(" + kTime +
         ", (SELECT max(max(started_at, coalesce(ended_at, ''))) FROM attempt))))";
}
inline double seconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

template <class Value>
void bind_value(SQLite::Statement& statement, int index, const Value& value) {
  statement.bind(index, value);
}
// As what it is: null, integer, real or text.
inline void bind_value(SQLite::Statement& statement, int index, const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      statement.bind(index);
      return;
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      statement.bind(index, value.get<std::int64_t>());
      return;
    case nlohmann::json::value_t::number_float:
      statement.bind(index, value.get<double>());
      return;
    default:
      statement.bind(index, value.get<std::string>());
  }
}
inline void bind_all(SQLite::Statement& statement, const std::vector<nlohmann::json>& values) {
  int index = 0;
  for (const nlohmann::json& value : values) bind_value(statement, ++index, value);
}

// A connection's statements, each prepared once: preparing costs more than most of them do.
class Statements {
 public:
  explicit Statements(SQLite::Database& database) : database_(database) {}
  SQLite::Database& database() { return database_; }
  SQLite::Statement& of(const std::string& sql) {
    const auto known = prepared_.find(sql);
    return known == prepared_.end() ? prepared_.try_emplace(sql, database_, sql).first->second
                                    : known->second;
  }

 private:
  SQLite::Database& database_;
  std::unordered_map<std::string, SQLite::Statement> prepared_;
};

// One of them in use; reset at the end, so that it holds no lock.
class Prepared {
 public:
  template <class... Values>
  Prepared(Statements& statements, const std::string& sql, const Values&... values)
      : statement_(statements.of(sql)) {
    int index = 0;
    (bind_value(statement_, ++index, values), ...);
  }
  ~Prepared() { statement_.tryReset(); }
  Prepared(const Prepared&) = delete;
  SQLite::Statement* operator->() { return &statement_; }
  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

// Runs a statement with its parameters bound; how many rows it changed.
template <class... Values>
int run(Statements& statements, const std::string& sql, const Values&... values) {
  return Prepared(statements, sql, values...)->exec();
}
template <class... Values>
int run(SQLite::Database& database, const std::string& sql, const Values&... values) {
  SQLite::Statement statement(database, sql);
  int index = 0;
  (bind_value(statement, ++index, values), ...);
  return statement.exec();
}
template <class... Values>
void run(SQLite::Statement& statement, const Values&... values) {
  statement.reset();
  int index = 0;
  (bind_value(statement, ++index, values), ...);
  statement.exec();
}

// One change, whole or not at all: a transaction of its own, or a part of the group's.
class Step {
 public:
  Step(Statements& statements, bool grouped) : statements_(statements), grouped_(grouped) {
    if (!in_transaction()) run(statements_, "BEGIN IMMEDIATE");
    if (grouped_) run(statements_, "SAVEPOINT step");
  }
  ~Step() {
    // SQLite rolls the whole transaction back itself where the disk fails.
    if (!done_ && in_transaction())
      statements_.database().tryExec(grouped_ ? "ROLLBACK TO step; RELEASE step" : "ROLLBACK");
  }
  Step(const Step&) = delete;
  void commit() {
    run(statements_, grouped_ ? "RELEASE step" : "COMMIT");
    done_ = true;
  }

 private:
  bool in_transaction() const {
    return sqlite3_get_autocommit(statements_.database().getHandle()) == 0;
  }

  Statements& statements_;
  bool grouped_;
  bool done_ = false;
};

}  // namespace occam
