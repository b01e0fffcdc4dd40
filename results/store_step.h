#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <string>

namespace occam {

// ISO 8601, UTC, as SQLite's date functions read it.
inline const std::string kNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

// One change, whole or not at all: a transaction of its own, or a part of the group's.
class Step {
 public:
  Step(SQLite::Database& database, bool grouped) : database_(database), grouped_(grouped) {
    if (sqlite3_get_autocommit(database_.getHandle()) != 0) database_.exec("BEGIN IMMEDIATE");
    if (grouped_) database_.exec("SAVEPOINT step");
  }
  ~Step() {
    // SQLite rolls the whole transaction back itself where the disk fails.
    if (!done_ && sqlite3_get_autocommit(database_.getHandle()) == 0)
      database_.tryExec(grouped_ ? "ROLLBACK TO step; RELEASE step" : "ROLLBACK");
  }
  Step(const Step&) = delete;
  void commit() {
    database_.exec(grouped_ ? "RELEASE step" : "COMMIT");
    done_ = true;
  }

 private:
  SQLite::Database& database_;
  bool grouped_;
  bool done_ = false;
};

// Runs a statement with its parameters bound; how many rows it changed.
template <class... Values>
int run(SQLite::Database& database, const std::string& sql, const Values&... values) {
  SQLite::Statement statement(database, sql);
  int index = 0;
  (statement.bind(++index, values), ...);
  return statement.exec();
}

template <class... Values>
void run(SQLite::Statement& statement, const Values&... values) {
  statement.reset();
  int index = 0;
  (statement.bind(++index, values), ...);
  statement.exec();
}

}  // namespace occam
